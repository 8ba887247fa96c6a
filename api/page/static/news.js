// What a screen reader says without being asked: only what ended, and several endings in one sentence.

import { brief } from "./safe.js";
import { nameOf } from "./words.js";

const PAUSE = 2_000; // endings this close together are said in one sentence
const REST = 10_000; // and then nothing for a while: a busy page must not talk without end

export class News {
  #place;
  #ended = [];
  #resting = 0;

  constructor(place) {
    this.#place = place;
  }

  say(text) {
    this.#place.textContent = text;
  }

  ended(job) {
    if (this.#ended.push(job) > 1) return;
    setTimeout(() => this.#sayEndings(), Math.max(PAUSE, this.#resting - performance.now()));
  }

  #sayEndings() {
    this.say(sentence(this.#ended));
    this.#ended = [];
    this.#resting = performance.now() + REST;
  }
}

function sentence(jobs) {
  const failed = jobs.filter((job) => job.status === "failed").length;
  if (jobs.length === 1) return `${brief(nameOf(jobs[0]), 80)}: ${failed ? "failed" : "done"}`;
  return [jobs.length - failed && `${jobs.length - failed} jobs done`, failed && `${failed} failed`].filter(Boolean).join(", ");
}
