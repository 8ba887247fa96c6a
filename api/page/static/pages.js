// The list as the api pages it, read on as far as the reader scrolls.

import { setClockBy } from "./clock.js";
import { order, queryOf } from "./view.js";

const SIZE = 100; // the most that the api gives

export class Pages {
  #query;
  #compare;
  #cursor = "";
  #read = new Set();
  #last = null;
  complete = false;

  constructor(view) {
    this.#query = queryOf(view);
    this.#compare = order(view.sort);
  }

  /** The jobs of the next page. */
  async next(signal) {
    const { jobs, next_cursor: cursor = "" } = await list(this.#query, { page_size: SIZE, cursor: this.#cursor }, signal);
    this.#cursor = cursor;
    this.complete = !cursor;
    this.#last = jobs.at(-1) ?? this.#last;
    for (const { job_id: id } of jobs) this.#read.add(id);
    return jobs;
  }

  /** Whether the job lies within what was read: beyond it, it would stand where others are still missing. */
  reaches(job) {
    return this.complete || this.#read.has(job.job_id) || (this.#last !== null && this.#compare(job, this.#last) <= 0);
  }
}

/** How many jobs there are of this view; where that is not exact, there are more. */
export async function count(view, signal) {
  const { total_count: total, total_count_exact: isExact = true } = await list(queryOf(view), { page_size: 1 }, signal);
  return { total, isExact };
}

/** One job, or null if there is none of this id. */
export async function find(id, signal) {
  const response = await fetch(`/api/v1/jobs/${encodeURIComponent(id)}`, { signal });
  return response.status === 404 ? null : answered(response);
}

async function list(query, more, signal) {
  const asked = new URLSearchParams(query);
  for (const [key, value] of Object.entries(more)) if (value) asked.set(key, value);
  return answered(await fetch(`/api/v1/jobs?${asked}`, { signal }));
}

async function answered(response) {
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => ({})));
  setClockBy(response);
  return response.json();
}

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail?.replace(/\.$/, "") ?? `the server answered ${status}`);
    this.status = status;
  }
}
