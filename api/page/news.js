// What a screen reader says without being asked: only what ended, and several endings in one sentence.

import { brief } from "./safe.js";
import { nameOf } from "./words.js";

const PAUSE = 2_000;

export class News {
  #place;
  #ended = [];

  constructor(place) {
    this.#place = place;
  }

  ended(job) {
    if (this.#ended.push(job) > 1) return;
    setTimeout(() => {
      this.#place.textContent = sentence(this.#ended);
      this.#ended = [];
    }, PAUSE);
  }
}

function sentence(jobs) {
  const failed = jobs.filter((job) => job.status === "failed").length;
  if (jobs.length === 1) return `${brief(nameOf(jobs[0]), 80)}: ${failed ? "failed" : "done"}`;
  return [jobs.length - failed && `${jobs.length - failed} jobs done`, failed && `${failed} failed`].filter(Boolean).join(", ");
}
