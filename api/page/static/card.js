// One job as a card: built once from the template, then only what changed is touched.

import { brief, safeUrl } from "./safe.js";
import { exactly, isFinal, moment, nameOf, SCENE_STATES, scenes, stageOf, timesOf } from "./words.js";
import { addressOf } from "./view.js";

const template = document.getElementById("card");

export class Card {
  #parts = {};
  #drawn = {};
  job = null;

  constructor(id) {
    this.element = template.content.firstElementChild.cloneNode(true);
    for (const part of this.element.querySelectorAll("[data-part]")) this.#parts[part.dataset.part] = part;
    const { picture } = this.#parts;
    picture.addEventListener("error", () => this.#showPicture(null));
    picture.addEventListener("load", () => picture.classList.toggle("tall", picture.naturalHeight > picture.naturalWidth));
    this.element.dataset.id = id;
    this.#parts.name.href = addressOf({}, id);
  }

  focus() {
    this.#parts.name.focus({ preventScroll: true });
  }

  draw(job, now) {
    this.job = job;
    const { name, stage, bar, number, word, born } = this.#parts;
    this.#once("status", job.status, (status) => (this.element.dataset.status = status));
    this.#once("name", brief(nameOf(job)), (text) => (name.textContent = text));
    this.#once("stage", lineOf(job), (text) => (stage.textContent = text));
    this.#once("percent", job.progress_percent, (percent) => this.#move(bar, number, percent));
    this.#once("word", outcome(job), (text) => (word.textContent = text));
    this.#once("label", brief(nameOf(job), 80), (text) => bar.setAttribute("aria-label", text));
    this.#once("value", `${job.progress_percent} percent, ${stageOf(job)}`, (text) => bar.setAttribute("aria-valuetext", text));
    this.#once("born", job.created_at, (at) => (born.title = exactly(at)));
    this.#once("picture", job.thumbnail_url, (url) => this.#showPicture(safeUrl(url)));
    this.#once("scenes", scenes(job).join(), (list) => this.#chips(list ? list.split(",") : []));
    this.tick(now);
  }

  /** The texts that change by themselves as time passes. */
  tick(now) {
    this.#once("times", timesOf(this.job, now), (text) => (this.#parts.times.textContent = text));
    this.#once("age", isFinal(this.job) ? moment(this.job.created_at, now) : "", (text) => (this.#parts.born.textContent = text));
  }

  #once(key, value, put) {
    if (this.#drawn[key] === value) return;
    this.#drawn[key] = value;
    put(value);
  }

  #move(bar, number, percent) {
    bar.setAttribute("aria-valuenow", percent);
    bar.style.setProperty("--percent", percent);
    number.textContent = percent;
  }

  #showPicture(url) {
    const { picture } = this.#parts;
    picture.hidden = !url;
    if (url) picture.src = url;
    else picture.removeAttribute("src");
  }

  #chips(states) {
    this.#parts.scenes.replaceChildren(...states.map(chip));
    this.#parts.scenes.hidden = states.length < 1;
  }
}

function chip(state, index) {
  const item = document.createElement("li");
  item.dataset.scene = state;
  item.textContent = index + 1;
  item.title = `Scene ${index + 1}: ${SCENE_STATES[state]}`;
  item.setAttribute("aria-label", item.title);
  return item;
}

// The line under the name. What is done says so at the right already: there it tells what was asked for.
function lineOf(job) {
  if (job.status === "failed" && job.error_message) return brief(job.error_message, 160);
  if (job.status === "completed" && job.title && job.prompt) return brief(job.prompt, 160);
  return stageOf(job);
}

function outcome(job) {
  return { completed: "Done", failed: "Failed" }[job.status] ?? "";
}
