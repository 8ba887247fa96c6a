// How many jobs each tab holds. The stream tells every unfinished job, so those are counted here; of the finished ones
// the api is asked once, and the ends that the stream tells are added. Watching costs the table nothing.

import { count } from "./pages.js";
import { matchesFilters } from "./view.js";
import { isFinal } from "./words.js";

const ENDINGS = ["completed", "failed"];
const SETTLING = 1_000; // the index that is counted may lag behind the stream

export class Counts {
  #view = null;
  #ended = null; // by status, once the api has answered
  #isExact = true;
  #reading = new AbortController();
  #lastMove = -Infinity;

  /** Asks anew how many finished jobs match the view, whatever its tab; whether that is known now. */
  async read(view) {
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    for (let attempt = 0; attempt < 3; attempt++) {
      const begun = performance.now();
      const totals = await Promise.all(ENDINGS.map((status) => count({ ...view, status }, signal))).catch(() => null);
      if (signal.aborted) return false; // another view is asked for meanwhile
      if (!totals) return this.#forget();
      this.#view = view;
      this.#ended = Object.fromEntries(ENDINGS.map((status, index) => [status, totals[index].total]));
      this.#isExact = totals.every(({ isExact }) => isExact);
      // A job that ended meanwhile may be in the answer or not: only a quiet moment gives a sum to build on.
      if (this.#lastMove < begun - SETTLING) return true;
      await new Promise((settled) => setTimeout(settled, SETTLING));
    }
    return true;
  }

  #forget() {
    this.#ended = null;
    return false;
  }

  /** The stream told that a job is no longer as it was before; either may be null. */
  move(before, job) {
    if (before?.status === job?.status || !this.#ended) return;
    for (const [one, change] of [[before, -1], [job, 1]]) {
      if (!one || !isFinal(one) || !matchesFilters(one, this.#view)) continue;
      this.#ended[one.status] += change;
      this.#lastMove = performance.now();
    }
  }

  /** Whether the api has counted to the end. */
  get isExact() {
    return this.#isExact;
  }

  /** By status, and all of them under "": null until they are known. */
  of(jobs) {
    if (!this.#ended) return null;
    const counts = { "": 0, processing: 0, pending: 0, ...this.#ended };
    for (const job of jobs) {
      if (isFinal(job) || !matchesFilters(job, this.#view)) continue;
      counts[job.status] = (counts[job.status] ?? 0) + 1;
      counts[""]++;
    }
    counts[""] += counts.completed + counts.failed;
    return counts;
  }
}
