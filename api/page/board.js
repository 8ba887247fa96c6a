// The cards on the page, in order. Moves are animated, but only for what the reader can see.

import { Card } from "./card.js";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const MOVE = { duration: 320, easing: "cubic-bezier(.2, .7, .2, 1)" };
const MOST_MOVES = 40; // more than fit on a screen at once is not motion but noise

export class Board {
  #list;
  #cards = new Map();
  #visible = new Set();
  #sight = new IntersectionObserver((entries) => entries.forEach((entry) => this.#seen(entry)), { rootMargin: "100px" });

  constructor(list) {
    this.#list = list;
  }

  /** Makes the page show these jobs, in this order. */
  show(jobs, now, { animate = true } = {}) {
    const before = animate && !CALM.matches ? this.#places() : new Map();
    const wanted = new Set(jobs.map((job) => job.job_id));
    for (const id of this.#cards.keys()) if (!wanted.has(id)) this.#remove(id, before.get(id));
    const fresh = this.#place(jobs, now);
    if (before.size) this.#glide(before, fresh);
  }

  /** Redraws one job where it is, if it is shown. */
  redraw(job, now) {
    this.#cards.get(job.job_id)?.draw(job, now);
  }

  tick(now) {
    for (const id of this.#visible) this.#cards.get(id)?.tick(now);
  }

  has(id) {
    return this.#cards.has(id);
  }

  get size() {
    return this.#cards.size;
  }

  #place(jobs, now) {
    const fresh = [];
    let next = this.#list.firstElementChild;
    for (const job of jobs) {
      const known = this.#cards.get(job.job_id);
      const card = known ?? this.#add(job);
      if (!known) fresh.push(card.element);
      card.draw(job, now);
      if (card.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(card.element, next);
    }
    return fresh;
  }

  #add(job) {
    const card = new Card(job);
    this.#cards.set(job.job_id, card);
    this.#sight.observe(card.element);
    return card;
  }

  #remove(id, place) {
    const { element } = this.#cards.get(id);
    this.#cards.delete(id);
    this.#visible.delete(id);
    this.#sight.unobserve(element);
    if (!place) return element.remove();
    // Out of the flow at once, so that the others can close the gap while it leaves.
    this.#list.after(element);
    element.classList.add("leaving");
    const parent = this.#list.parentElement.getBoundingClientRect();
    for (const [name, value] of [["top", place.top - parent.top], ["left", place.left - parent.left], ["width", place.width]])
      element.style.setProperty(name, `${value}px`);
    const leave = element.animate({ opacity: 0, transform: "translateX(32px)" }, MOVE);
    leave.finished.finally(() => element.remove());
  }

  #places() {
    const places = new Map();
    for (const id of this.#visible) places.set(id, this.#cards.get(id).element.getBoundingClientRect());
    return places;
  }

  #glide(before, fresh) {
    const moves = [];
    for (const [id, from] of before) {
      const element = this.#cards.get(id)?.element;
      const rise = element && from.top - element.getBoundingClientRect().top;
      if (rise) moves.push([element, rise]);
    }
    for (const [element, rise] of moves.slice(0, MOST_MOVES))
      element.animate({ transform: [`translateY(${rise}px)`, "none"] }, MOVE);
    for (const element of fresh.slice(0, MOST_MOVES))
      element.animate({ opacity: [0, 1], transform: ["translateY(-14px)", "none"] }, MOVE);
  }

  #seen({ target, isIntersecting }) {
    if (isIntersecting && this.#cards.has(target.dataset.id)) this.#visible.add(target.dataset.id);
    else this.#visible.delete(target.dataset.id);
  }
}
