// The cards on the page. All are of one height, so that where each belongs is arithmetic, and only those near the
// screen exist: 2,000 jobs cost what 20 do.

import { Card } from "./card.js";
import { now } from "./clock.js";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const MOVE = { duration: 320, easing: "cubic-bezier(.2, .7, .2, 1)" };
const SPARE = 8; // cards kept ready above and below the screen, for scrolling and for Tab

export class Board {
  #list;
  #jobs = []; // all that are shown, in order
  #places = new Map(); // where in that order, by id
  #cards = new Map(); // those that exist, by id
  #pitch = 0; // from one card's top to the next
  #scrolled = false;

  constructor(list) {
    this.#list = list;
    this.#measure();
    addEventListener("resize", () => this.#measure());
    addEventListener("scroll", () => this.#follow(), { passive: true });
  }

  /** Makes the page show these jobs, in this order. */
  show(jobs, { animate = true } = {}) {
    const before = this.#places;
    const focused = focusedId();
    this.#jobs = jobs;
    this.#places = new Map(jobs.map((job, place) => [job.job_id, place]));
    this.#stretch();
    const isSteadied = this.#steady(before);
    this.#draw(animate && !isSteadied && !CALM.matches);
    // Who was on a card that is gone goes on with the one that took its place.
    if (before.has(focused) && !this.#places.has(focused)) this.focus(jobs[Math.min(before.get(focused), jobs.length - 1)]?.job_id);
  }

  /** Gives the focus to this job's card, or to the list where there is no such card. */
  focus(id) {
    (this.#cards.get(id) ?? this.#list).focus({ preventScroll: true });
  }

  /** Redraws one job where it is. */
  redraw(job) {
    this.#jobs[this.#places.get(job.job_id)] = job;
    this.#cards.get(job.job_id)?.draw(job, now());
  }

  /** Lets time pass on the cards. */
  tick() {
    for (const card of this.#cards.values()) card.tick(now());
  }

  has(id) {
    return this.#places.has(id);
  }

  get isEmpty() {
    return this.#jobs.length < 1;
  }

  #measure() {
    const style = getComputedStyle(this.#list);
    this.#pitch = parseFloat(style.getPropertyValue("--tall")) + parseFloat(style.getPropertyValue("--gap"));
    this.#stretch();
    this.#draw(false);
  }

  #stretch() {
    this.#list.style.setProperty("height", `${this.#jobs.length * this.#pitch}px`);
  }

  #follow() {
    if (this.#scrolled) return;
    this.#scrolled = true;
    requestAnimationFrame(() => {
      this.#scrolled = false;
      this.#draw(false);
    });
  }

  // Whoever has scrolled down reads on undisturbed while cards come and go above.
  #steady(before) {
    const top = this.#top();
    if (top <= 0) return false;
    const shifts = [...this.#cards.keys()]
      .filter((id) => before.get(id) * this.#pitch >= top && this.#places.has(id))
      .map((id) => this.#places.get(id) - before.get(id))
      .sort((a, b) => a - b);
    const shift = shifts[shifts.length >> 1] ?? 0;
    if (shift) scrollBy({ top: shift * this.#pitch, behavior: "instant" });
    return shift !== 0;
  }

  /** How far the list has been scrolled beyond the upper edge of the window. */
  #top() {
    return -this.#list.getBoundingClientRect().top;
  }

  #draw(animate) {
    const wanted = this.#near();
    const focused = document.activeElement;
    for (const [id, card] of this.#cards) if (!wanted.has(id)) this.#remove(id, card, animate);
    let next = this.#list.firstElementChild;
    for (const [id, place] of wanted) {
      const card = this.#cards.get(id) ?? this.#add(id);
      card.draw(this.#jobs[place], now());
      while (next?.inert) next = next.nextElementSibling; // on its way out
      if (card.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(card.element, next);
      this.#put(card, place, animate); // only now: an animation of what is not in the page never starts
    }
    if (focused !== document.activeElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
  }

  /** The ids and places of the cards near the screen, in order, and of the one that has the focus. */
  #near() {
    const top = this.#top();
    const first = Math.max(0, Math.floor(top / this.#pitch) - SPARE);
    const end = Math.ceil((top + innerHeight) / this.#pitch) + SPARE;
    const near = this.#jobs.slice(first, Math.max(first, end)).map((job, index) => [job.job_id, first + index]);
    const held = focusedId();
    if (this.#places.has(held) && !near.some(([id]) => id === held)) near.push([held, this.#places.get(held)]);
    return new Map(near.sort(([, one], [, other]) => one - other));
  }

  #add(id) {
    const card = new Card(id);
    this.#cards.set(id, card);
    return card;
  }

  #put(card, place, animate) {
    const y = place * this.#pitch;
    const from = card.y;
    card.y = y;
    card.element.style.setProperty("--y", `${y}px`);
    card.element.ariaPosInSet = place + 1;
    card.element.ariaSetSize = this.#jobs.length;
    if (!animate || from === y) return;
    const start = from === undefined ? { opacity: 0, transform: `translateY(${y - 14}px)` } : { transform: `translateY(${from}px)` };
    card.element.animate([start, {}], MOVE);
  }

  #remove(id, { element, y }, animate) {
    this.#cards.delete(id);
    if (!animate || this.#places.has(id)) return element.remove();
    element.inert = true;
    const leave = element.animate([{}, { opacity: 0, transform: `translate(32px, ${y}px)` }], MOVE);
    leave.finished.finally(() => element.remove());
  }
}

function focusedId() {
  return document.activeElement?.closest("[data-id]")?.dataset.id;
}
