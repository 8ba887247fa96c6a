// The list as the api pages it, read on as far as the reader scrolls.

import { order, queryOf } from "./view.js";

const SIZE = 50;

export class Pages {
  #query;
  #compare;
  #cursor = "";
  #last = null;
  complete = false;
  total = null;

  constructor(view) {
    this.#query = queryOf(view);
    this.#compare = order(view.sort);
  }

  /** The jobs of the next page. */
  async next(signal) {
    const { jobs, total_count: total, next_cursor: cursor = "" } = await list(this.#query, { page_size: SIZE, cursor: this.#cursor }, signal);
    this.#cursor = cursor;
    this.complete = !cursor;
    this.#last = jobs.at(-1) ?? this.#last;
    this.total = total;
    return jobs;
  }

  /** Whether the job lies within what was read: a job beyond it would stand where others are still missing. */
  reaches(job) {
    return this.complete || (this.#last !== null && this.#compare(job, this.#last) <= 0);
  }
}

/** How many jobs there are of this view. */
export async function count(view, signal) {
  return (await list(queryOf(view), { page_size: 1 }, signal)).total_count;
}

async function list(query, more, signal) {
  const asked = new URLSearchParams(query);
  for (const [key, value] of Object.entries(more)) if (value) asked.set(key, value);
  const response = await fetch(`/api/v1/jobs?${asked}`, { signal });
  if (!response.ok) throw new ListRefused(response.status, await response.json().catch(() => ({})));
  return response.json();
}

export class ListRefused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `The server answered ${status}.`);
    this.status = status;
  }
}
