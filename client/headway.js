/**
 * Live job progress in a browser (or in Node 20 and newer), without dependencies.
 *
 *   const watch = watchJob("job_123", { onUpdate: draw, onDone: celebrate });
 *   for await (const { type, job } of watchJobs({ status: "processing" })) draw(job);
 *
 * Each state is handed on once, and never an older one after a newer one, whatever the network does.
 */

const FINAL = new Set(["completed", "failed"]);
const EVENTS = ["update", "done", "deleted", "stale", "live", "expiring"];
const FIRST_PAUSE = 1_000; // until the server's `retry:` says otherwise
const SHORTEST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;
const SILENCE = 45_000; // the server pings every 15 s: three in a row are missing

/** The server will not answer this request, now or later: `status` says why, `problem` is its RFC 9457 body, if any. */
export class HeadwayError extends Error {
  constructor(status, problem = null) {
    super(problem?.detail ?? problem?.title ?? `the server answered ${status}`);
    this.name = "HeadwayError";
    this.status = status;
    this.problem = problem;
  }
}

/** Watches one job until it is completed, failed or deleted. */
export function watchJob(id, options = {}) {
  return new Watch(`/${encodeURIComponent(id)}/events`, options, id);
}

/** Watches all the caller's jobs, or those of one status or several, until it is closed. */
export function watchJobs({ status = [], ...options } = {}) {
  const wanted = [status].flat().join(",");
  return new Watch(`/events${wanted && `?status=${encodeURIComponent(wanted)}`}`, options);
}

class Watch {
  state = "connecting";
  #jobs;
  #url;
  #options;
  #onlyId; // of the one job watched, if it is one
  #newest = new Newest();
  #readers = new Set();
  #stopping = new AbortController();
  #error;
  #lastEventId = "";
  #untold = new Set();
  #retry = FIRST_PAUSE;
  #failures = 0;

  constructor(path, options, onlyId) {
    const base = (options.baseUrl ?? "").replace(/\/+$/, "");
    this.#jobs = new URL(`${base}/api/v1/jobs`, globalThis.location?.href).href;
    this.#url = this.#jobs + path;
    this.#options = options;
    this.#onlyId = onlyId;
    if (options.signal?.aborted) return void this.close();
    options.signal?.addEventListener("abort", () => this.close(), { signal: this.#stopping.signal });
    this.#run();
  }

  /** No callback is called after this. */
  close() {
    this.#end();
  }

  /** Takes a state that you read elsewhere, such as the list, and hands it on unless it is known or older. */
  offer(job) {
    // Times are whole seconds. On a tie the stream's word stays: what it has not told yet, it will tell.
    if (!this.#stopping.signal.aborted && this.#newest.isNews(job)) this.#take(job, null);
  }

  /**
   * The states as they come, at first those that were told before the loop began; a slow reader finds the newest of
   * each job. Leaving the loop closes the watch.
   */
  async *[Symbol.asyncIterator]() {
    const reader = new Mailbox();
    for (const job of this.#newest.jobs()) reader.put(eventOf(job));
    this.#readers.add(reader);
    try {
      if (this.#stopping.signal.aborted) reader.end(this.#error);
      yield* reader.events();
    } finally {
      this.#readers.delete(reader);
      this.close();
    }
  }

  async #run() {
    let connect = this.#usesEventSource() ? viaEventSource : viaFetch;
    try {
      while (!this.#stopping.signal.aborted) {
        const { finished, retryAfter = 0 } = await connect(this.#connection());
        if (finished && (await this.#isSettled())) return this.#end();
        this.#become("reconnecting");
        await pause(Math.max(this.#nextPause(), retryAfter), this.#stopping.signal);
        // EventSource stops for good at the first answer that is no stream (a 502 during a deploy) and hides the
        // status. fetch shows the status, and can say Last-Event-ID where a new EventSource cannot.
        connect = viaFetch;
      }
    } catch (error) {
      this.#end(error);
    }
  }

  // "Nothing more to tell" about a job whose ending we doubted: then the table must be asked before we leave.
  #isSettled() {
    return this.#onlyId === undefined || this.#settle(this.#onlyId);
  }

  #usesEventSource() {
    const { transport, token } = this.#options;
    return transport !== "fetch" && token === undefined && typeof EventSource === "function";
  }

  #connection() {
    return {
      url: this.#url,
      lastEventId: this.#lastEventId,
      withCredentials: this.#options.withCredentials ?? false,
      headers: () => this.#headers(),
      signal: this.#stopping.signal,
      opened: () => this.#opened(),
      broke: () => this.#become("reconnecting"),
      retry: (ms) => (this.#retry = Math.max(ms, SHORTEST_PAUSE)),
      heard: (event) => this.#heard(event),
      reached: (id) => (this.#lastEventId = id),
    };
  }

  async #headers() {
    const { token } = this.#options;
    const bearer = typeof token === "function" ? await token() : token;
    return bearer ? { Authorization: `Bearer ${bearer}` } : {};
  }

  #nextPause() {
    const longest = Math.min(LONGEST_PAUSE, this.#retry * 2 ** this.#failures++);
    return longest * (0.5 + Math.random() / 2);
  }

  #opened() {
    this.#failures = 0;
    this.#become("live");
    if (this.#onlyId === undefined) this.#untold = new Set(this.#newest.unfinished());
  }

  // The server remembers for 24 h which jobs ended. After a weekend's sleep it tells only the unfinished ones: each job
  // that we hold as unfinished and that it did not mention has ended unseen, or is gone.
  async #askForUntold() {
    for (const id of this.#untold) {
      if (this.#stopping.signal.aborted) return;
      this.#untold.delete(id);
      await this.#settle(id);
    }
  }

  #heard({ type, data, id }) {
    if (type === "stale") return this.#becomeStale();
    if (type === "expiring") return this.#call("onExpiring");
    this.#become("live");
    if (type === "live") return this.#askForUntold(); // all that opens the stream has been told
    const job = parse(data);
    if (!job?.job_id) return;
    this.#untold.delete(job.job_id);
    if (type === "deleted") this.#gone(job.job_id, versionOf(id));
    else this.#told(job, versionOf(id));
  }

  #told(job, version) {
    const order = this.#newest.order(job, version);
    if (order === "newer") this.#take(job, version);
    if (order === "unsure") this.#settleSurely(job.job_id);
  }

  async #settleSurely(id) {
    const before = this.#newest.textOf(id);
    while (!(await this.#settle(id)) && this.#newest.textOf(id) === before && !this.#stopping.signal.aborted)
      await pause(this.#retry, this.#stopping.signal);
  }

  /** Asks the table; whether it has answered, and nothing else was told meanwhile. */
  async #settle(id) {
    const before = this.#newest.textOf(id);
    const answer = await this.#read(id);
    if (this.#stopping.signal.aborted || !answer || this.#newest.textOf(id) !== before) return false;
    if (answer === "gone") this.#gone(id, null);
    else if (JSON.stringify(answer) !== before) this.#take(answer, null);
    return true;
  }

  async #read(id) {
    try {
      const response = await fetch(`${this.#jobs}/${encodeURIComponent(id)}`, {
        headers: await this.#headers(),
        credentials: this.#options.withCredentials ? "include" : "same-origin",
        signal: this.#stopping.signal,
      });
      return response.status === 404 ? "gone" : response.ok && (await response.json());
    } catch {
      return null;
    }
  }

  #take(job, version) {
    this.#newest.keep(job, version);
    this.#tell(eventOf(job));
    if (isFinal(job) && this.#onlyId !== undefined) this.#end();
  }

  #gone(id, version) {
    const last = this.#newest.drop(id, version);
    if (!last) return;
    this.#tell({ type: "deleted", job: last });
    if (this.#onlyId !== undefined) this.#end();
  }

  #tell(event) {
    for (const reader of this.#readers) reader.put(event);
    this.#call({ update: "onUpdate", done: "onDone", deleted: "onDeleted" }[event.type], event.job);
  }

  #becomeStale() {
    if (this.state === "stale") return;
    this.#become("stale");
    this.#call("onStale");
  }

  #become(state) {
    if (this.state === state || this.state === "closed") return;
    this.state = state;
    this.#call("onState", state);
  }

  #end(error) {
    if (this.#stopping.signal.aborted) return;
    const unheard = error && !this.#options.onError && !this.#readers.size;
    if (error) this.#call("onError", error);
    this.#become("closed");
    this.#error = error;
    for (const reader of this.#readers) reader.end(error);
    this.#stopping.abort();
    if (unheard) report(error);
  }

  // A callback that throws is the page's bug: it is reported, and the stream goes on.
  #call(name, ...args) {
    try {
      this.#options[name]?.(...args);
    } catch (error) {
      report(error);
    }
  }
}

/** What was handed on of each job, and with it the one rule that says which of two states is newer. */
class Newest {
  #held = new Map();

  /** How a state that was told stands to what we hold: "newer", "known", or "unsure". */
  order(job, version) {
    const held = this.#held.get(job.job_id);
    if (!held) return "newer";
    // A state from the table has no version and may overtake the stream: what the stream told before stays the floor.
    if (version && held.highest && !isAfter(version, held.highest)) return "known";
    if (JSON.stringify(job) === held.text) return this.#isNow(held, version);
    if (version && held.ordered) return "newer";
    // Writers' clocks differ. A state that only looks older is neither dropped nor believed: the table knows.
    return job.updated_at >= held.updatedAt ? "newer" : "unsure";
  }

  /** Whether a state from the list is newer than what the stream has told. */
  isNews(job) {
    const held = this.#held.get(job.job_id);
    return !held || job.updated_at > held.updatedAt;
  }

  keep(job, version) {
    const highest = version ?? this.#held.get(job.job_id)?.highest ?? null;
    const text = JSON.stringify(job);
    this.#held.set(job.job_id, { job, text, updatedAt: job.updated_at, highest, ordered: !!version });
  }

  textOf(id) {
    return this.#held.get(id)?.text;
  }

  jobs() {
    return [...this.#held.values()].map(({ job }) => job).filter(Boolean);
  }

  unfinished() {
    return this.jobs().filter((job) => !isFinal(job)).map((job) => job.job_id);
  }

  /** The last state of a deleted job, or null if that deletion is known or older than what we hold. */
  drop(id, version) {
    const { job, highest = null } = this.#held.get(id) ?? { job: { job_id: id } };
    if (!job || (version && highest && !isAfter(version, highest))) return null;
    const updatedAt = job.updated_at ?? 0;
    this.#held.set(id, { job: null, text: "", updatedAt, highest: version ?? highest, ordered: !!version });
    return job;
  }

  #isNow(held, version) {
    if (version) Object.assign(held, { highest: version, ordered: true });
    return "known";
  }
}

/** One slot per job: a reader that is late finds the newest state, not a queue of old ones. */
class Mailbox {
  #slots = new Map();
  #ended = false;
  #error;
  #wake = () => {};

  put(event) {
    this.#slots.set(event.job.job_id, event);
    this.#wake();
  }

  end(error) {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *events() {
    for (;;) {
      for (const [id, event] of this.#slots) {
        this.#slots.delete(id);
        yield event;
      }
      if (this.#slots.size) continue;
      if (this.#error) throw this.#error;
      if (this.#ended) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

function eventOf(job) {
  return { type: isFinal(job) ? "done" : "update", job };
}

function isFinal(job) {
  return FINAL.has(job.status);
}

/** `<epoch>-<sequence>`, with or without `@<position>`, as two integers; null for a state that has no version. */
function versionOf(id) {
  const parts = /^(\d+)-(\d+)(?:@|$)/.exec(id ?? "");
  return parts && [BigInt(parts[1]), BigInt(parts[2])];
}

function isAfter([epoch, sequence], [otherEpoch, otherSequence]) {
  return epoch === otherEpoch ? sequence > otherSequence : epoch > otherEpoch;
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch (error) {
    report(error);
    return null;
  }
}

/** One EventSource, which reconnects by itself, until it gives up. */
function viaEventSource({ url, withCredentials, signal, opened, broke, heard, reached }) {
  return new Promise((resolve) => {
    const source = new EventSource(url, { withCredentials });
    let previous = "";
    const leave = () => resolve((source.close(), {}));
    signal.addEventListener("abort", leave, { once: true });
    source.onopen = opened;
    source.onerror = () => (source.readyState === EventSource.CLOSED ? leave() : broke());
    for (const type of EVENTS)
      source.addEventListener(type, ({ data, lastEventId }) => {
        // An event without an id shows that of the event before it, which may be another job's.
        const id = lastEventId === previous ? null : lastEventId;
        reached((previous = lastEventId));
        heard({ type, data, id });
      });
  });
}

/** One request, until its answer ends; throws a HeadwayError where asking again is no use. */
async function viaFetch({ url, headers, lastEventId, withCredentials, signal, opened, retry, heard, reached }) {
  const request = new AbortController();
  const leave = () => request.abort();
  signal.addEventListener("abort", leave, { signal: request.signal });
  let silence = setTimeout(leave, SILENCE);
  try {
    const response = await fetch(url, {
      headers: { Accept: "text/event-stream", ...(lastEventId && { "Last-Event-ID": lastEventId }), ...(await headers()) },
      cache: "no-store",
      credentials: withCredentials ? "include" : "same-origin",
      signal: request.signal,
    });
    if (response.status === 204) return { finished: true };
    if (!isStream(response)) return await refusal(response);
    opened();
    const parser = new EventParser({ heard, reached, retry });
    for await (const text of textOf(response.body)) {
      clearTimeout(silence);
      silence = setTimeout(leave, SILENCE);
      parser.push(text);
    }
  } catch (error) {
    if (error instanceof HeadwayError) throw error;
    // Anything else is a broken connection, told by what we answer: try again.
  } finally {
    clearTimeout(silence);
    leave();
  }
  return {};
}

function isStream(response) {
  return response.status === 200 && /^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "");
}

/** How long to wait where the answer may change; throws where it will not. */
async function refusal(response) {
  const passing = response.ok || response.status >= 500 || [408, 425, 429].includes(response.status);
  if (!passing) throw new HeadwayError(response.status, await response.json().catch(() => null));
  return { retryAfter: 1_000 * (Number(response.headers.get("retry-after")) || 0) };
}

async function* textOf(body) {
  const decoder = new TextDecoder(); // drops a leading byte order mark, as the standard asks
  const reader = body.getReader(); // Safari's streams are not iterable
  for (let read = await reader.read(); !read.done; read = await reader.read())
    yield decoder.decode(read.value, { stream: true });
}

/** The WHATWG event stream format, however the text is cut into pieces. */
export class EventParser {
  #to;
  #rest = "";
  #afterCR = false;
  #event = { type: "", data: [], id: null };

  /** `heard({type, data, id})` per event, `reached(id)` per block that names one, `retry(ms)`. */
  constructor(to) {
    this.#to = to;
  }

  push(text) {
    if (!text) return;
    if (this.#afterCR && text[0] === "\n") text = text.slice(1); // the second half of a CRLF cut in two
    this.#afterCR = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    for (const line of lines) this.#take(line);
  }

  #take(line) {
    if (line === "") return this.#dispatch();
    const [, field, value] = /^([^:]*)(?:: ?)?(.*)$/s.exec(line);
    if (field === "event") this.#event.type = value;
    else if (field === "data") this.#event.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#event.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.#to.retry?.(Number(value));
  }

  #dispatch() {
    const { type, data, id } = this.#event;
    this.#event = { type: "", data: [], id: null };
    if (id !== null) this.#to.reached?.(id);
    if (data.length) this.#to.heard({ type: type || "message", data: data.join("\n"), id });
  }
}

/** Waits, less long if the network comes back or the watch is closed. */
function pause(ms, signal) {
  if (signal.aborted) return;
  const over = new AbortController();
  let timer;
  return new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", resolve, { signal: over.signal });
    globalThis.addEventListener?.("online", resolve, { signal: over.signal });
  }).finally(() => {
    clearTimeout(timer);
    over.abort();
  });
}

function report(error) {
  if (typeof reportError === "function") reportError(error);
  else queueMicrotask(() => { throw error; });
}
