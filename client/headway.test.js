// The client against a real HTTP server, over fetch. What EventSource does is tested in a real browser (tests/browser).

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { EventParser, HeadwayError, watchJob, watchJobs } from "./headway.js";

const EPOCH = 1795402343351;
let server;
let baseUrl;
let answer; // what the server does with the next requests

before(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  baseUrl = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

const job = (more) => ({ job_id: "j", status: "processing", progress_percent: 0, created_at: 1, updated_at: 1, ...more });
const version = (sequence) => `${EPOCH}-${String(sequence).padStart(30, "0")}`;
const block = (event, data, id) => `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
const update = (data, id) => block("update", data, id);
const done = (data, id) => block("done", data, id);

function stream(response, ...blocks) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`retry: 100\n\n${blocks.join("")}`);
}

/** Answers the first requests one way each, and all others as the last. */
function answering(...ways) {
  const asked = [];
  answer = (request, response) => {
    const way = ways[Math.min(asked.push(request), ways.length) - 1];
    way(response, request);
  };
  return asked;
}

/** Everything the watch hands on, as [what, about what], until it is closed. */
function seen(start, options = {}) {
  const events = [];
  const log = (name, part) => (value) => events.push([name, part(value)]);
  const watching = new Promise((closed) => {
    start({
      baseUrl,
      onUpdate: log("update", (job) => job.progress_percent),
      onDone: log("done", (job) => job.status),
      onDeleted: log("deleted", (job) => job.job_id),
      onStale: log("stale", () => true),
      onError: log("error", (error) => error.status),
      onState: (state) => state === "closed" && closed(events),
      ...options,
    });
  });
  return watching;
}

const one = (options) => watchJob("j", options);
const all = (options) => watchJobs(options);

test("a job is told from its first state to its last, and then the watch is closed", async () => {
  const asked = answering((r) => stream(r, update(job({ progress_percent: 33 }), version(1)), done(job({ status: "completed" }), version(2))));
  assert.deepEqual(await seen(one), [["update", 33], ["done", "completed"]]);
  assert.equal(asked[0].url, "/api/v1/jobs/j/events");
});

test("the job's id and the statuses are escaped in the address", async () => {
  const asked = answering((r) => r.writeHead(404).end());
  await seen((options) => watchJob("a/b?c", options));
  await seen((options) => watchJobs({ status: ["pending", "processing"], ...options }));
  assert.deepEqual(asked.map((request) => request.url), ["/api/v1/jobs/a%2Fb%3Fc/events", "/api/v1/jobs/events?status=pending%2Cprocessing"]);
});

test("a replayed older state is not handed on, nor a repeated one", async () => {
  answering((r) =>
    stream(
      r,
      update(job({ progress_percent: 10 }), version(9)),
      update(job({ progress_percent: 20 }), version(10)),
      update(job({ progress_percent: 10 }), version(9)),
      update(job({ progress_percent: 20 }), version(10)),
      done(job({ status: "failed" }), version(11)),
    ),
  );
  assert.deepEqual(await seen(one), [["update", 10], ["update", 20], ["done", "failed"]]);
});

test("versions are compared as integers, beyond what a double can hold", async () => {
  answering((r) =>
    stream(
      r,
      update(job({ progress_percent: 20 }), `${EPOCH}-9007199254740993`),
      update(job({ progress_percent: 10 }), `${EPOCH}-0009007199254740992`),
      update(job({ progress_percent: 30 }), `${EPOCH + 1}-1`),
      done(job({ status: "failed" }), `${EPOCH + 1}-2`),
    ),
  );
  assert.deepEqual(await seen(one), [["update", 20], ["update", 30], ["done", "failed"]]);
});

test("a state from the table counts if its updated_at is not smaller, and does not open the door to replays", async () => {
  answering((r) =>
    stream(
      r,
      update(job({ progress_percent: 10, updated_at: 5 }), version(1)),
      update(job({ progress_percent: 20, updated_at: 5 }), "table-cd"),
      update(job({ progress_percent: 10, updated_at: 5 }), version(1)),
      done(job({ status: "completed", updated_at: 6 }), version(2)),
    ),
  );
  assert.deepEqual(await seen(one), [["update", 10], ["update", 20], ["done", "completed"]]);
});

test("a state that only looks older is settled by one read of the table", async () => {
  const truth = job({ progress_percent: 40, updated_at: 4 });
  const asked = answering(
    (r) => stream(r, update(job({ progress_percent: 30, updated_at: 5 }), version(1)), update(job({ progress_percent: 20, updated_at: 3 }), "table-ab")),
    (r) => r.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(truth)),
  );
  const stopping = new AbortController();
  const told = [];
  await seen(all, { signal: stopping.signal, onUpdate: (job) => told.push(job.progress_percent) > 1 && stopping.abort() });
  assert.deepEqual(told, [30, 40]);
  assert.equal(asked.length, 2);
});

test("an ending that only looks older ends the watch, once the table says so", async () => {
  const ending = job({ status: "completed", updated_at: 3 });
  const asked = answering(
    (r) => stream(r, update(job({ updated_at: 5 }), "table-ab"), done(ending, "table-cd")),
    (r) => r.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ending)),
  );
  assert.deepEqual(await seen(one), [["update", 0], ["done", "completed"]]);
  assert.equal(asked[1].url, "/api/v1/jobs/j");
});

test("what ended while nobody could tell us is asked for once the opening is told", async () => {
  answering(
    (r) => (stream(r, update(job({ progress_percent: 50 }), `${version(1)}@7`)), setTimeout(() => r.destroy(), 50)),
    (r) => stream(r, update(job({ job_id: "other" }), version(2)), block("live", {}, "@9")),
    (r) => r.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(job({ status: "failed" }))),
  );
  const stopping = new AbortController();
  const events = await seen(all, { signal: stopping.signal, onDone: () => stopping.abort() });
  assert.deepEqual(events, [["update", 50], ["update", 0]]);
});

test("a broken connection is resumed with the last id, and a busy server is asked again", async () => {
  const asked = answering(
    (r) => (stream(r, update(job({ progress_percent: 10 }), `${version(1)}@77`), "id: @78\n\n"), setTimeout(() => r.destroy(), 50)),
    (r) => r.writeHead(503).end(),
    (r) => stream(r, done(job({ status: "completed" }), version(2))),
  );
  assert.deepEqual(await seen(one), [["update", 10], ["done", "completed"]]);
  assert.deepEqual(asked.map((request) => request.headers["last-event-id"]), [undefined, "@78", "@78"]);
});

test("the pauses between attempts grow, and many clients do not come back at the same moment", async () => {
  const times = {};
  answer = ({ url }, response) => {
    const asked = (times[url] ??= []).push(performance.now());
    response.writeHead(asked < 3 ? 502 : 404).end();
  };
  await Promise.all(Array.from({ length: 20 }, (_, n) => seen((options) => watchJob(`j${n}`, options))));
  const pauses = Object.values(times).map(([first, second, third]) => [second - first, third - second]);
  for (const [first, second] of pauses) assert.ok(first >= 490 && second >= 990 && second < 2_500, `${first} and ${second}`);
  const firsts = pauses.map(([first]) => first);
  assert.ok(Math.max(...firsts) - Math.min(...firsts) > 100, "all came back at the same moment");
});

for (const status of [400, 401, 403, 404])
  test(`${status} closes the watch and tells why`, async () => {
    const asked = answering((r) => r.writeHead(status, { "content-type": "application/problem+json" }).end('{"detail":"because"}'));
    assert.deepEqual(await seen(one), [["error", status]]);
    assert.equal(asked.length, 1);
    await assert.rejects(async () => {
      for await (const _ of watchJob("j", { baseUrl })) assert.fail("nothing to hand on");
    }, (error) => error instanceof HeadwayError && error.message === "because");
  });

test("204 ends the watch without an error, once the table has been asked", async () => {
  answering((r) => r.writeHead(204).end(), (r) => r.end(JSON.stringify(job({ status: "completed" }))));
  assert.deepEqual(await seen(one), [["done", "completed"]]);
});

test("a deleted job is told once, with what was known of it", async () => {
  answering((r) => stream(r, update(job({ progress_percent: 10 }), version(1)), block("deleted", { job_id: "j" }, version(2))));
  assert.deepEqual(await seen(one), [["update", 10], ["deleted", "j"]]);
});

test("among all jobs an ending or a deletion ends that job only", async () => {
  const stopping = new AbortController();
  answering((r) =>
    stream(
      r,
      done(job({ status: "failed" }), `${version(1)}@1`),
      block("deleted", { job_id: "j" }, `${version(2)}@2`),
      block("deleted", { job_id: "j" }, `${version(2)}@3`),
      update(job({ job_id: "k", progress_percent: 7 })),
    ),
  );
  const events = await seen(all, { signal: stopping.signal, onUpdate: () => stopping.abort() });
  assert.deepEqual(events, [["done", "failed"], ["deleted", "j"]]);
});

test("stale is told, and live again with the next state or the word live", async () => {
  const states = [];
  answering((r) =>
    stream(r, block("stale", {}), block("stale", {}), block("live", {}), block("stale", {}), done(job({ status: "completed" }), version(1))),
  );
  const told = (closed) => (state) => (states.push(state), state === "closed" && closed());
  await new Promise((closed) => watchJob("j", { baseUrl, onStale: () => states.push("!"), onState: told(closed) }));
  assert.deepEqual(states, ["live", "stale", "!", "live", "stale", "!", "live", "closed"]);
});

test("a list state is handed on unless the stream has told something as new", async () => {
  const told = [];
  let watch;
  answering((r) => stream(r, update(job({ progress_percent: 50, updated_at: 5 }), version(5))));
  await new Promise((updated) => {
    watch = watchJobs({ baseUrl, onUpdate: (job) => updated(told.push(job.progress_percent)), onDone: (job) => told.push(job.job_id) });
  });
  watch.offer(job({ progress_percent: 40, updated_at: 5 }));
  watch.offer(job({ progress_percent: 60, updated_at: 6 }));
  watch.offer(job({ job_id: "k", status: "completed" }));
  watch.offer(job({ job_id: "k", status: "completed" }));
  watch.close();
  watch.offer(job({ job_id: "l" }));
  assert.deepEqual(told, [50, 60, "k"]);
});

test("a slow loop finds the newest state of each job, not a queue", async () => {
  const blocks = Array.from({ length: 50 }, (_, n) => update(job({ progress_percent: n }), version(n)));
  answering((r) => stream(r, ...blocks, done(job({ status: "completed" }), version(99))));
  const types = [];
  for await (const { type, job } of watchJob("j", { baseUrl })) {
    types.push([type, job.progress_percent]);
    await new Promise((later) => setTimeout(later, 100));
  }
  assert.ok(types.length <= 3, `${types.length} of 51`);
  assert.equal(types.at(-1)[0], "done");
});

test("a loop that begins late finds what was told before it, an ending too", async () => {
  answering((r) => stream(r, update(job({ progress_percent: 10 }), version(1)), done(job({ status: "completed" }), version(2))));
  let watch;
  await new Promise((closed) => (watch = watchJob("j", { baseUrl, onState: (state) => state === "closed" && closed() })));
  const types = [];
  for await (const { type, job } of watch) types.push([type, job.status]);
  assert.deepEqual(types, [["done", "completed"]]);
});

test("an expiring session is told, and the stream goes on", async () => {
  const told = [];
  answering((r) => stream(r, block("expiring", {}), done(job({ status: "completed" }), version(1))));
  assert.deepEqual(await seen(one, { onExpiring: () => told.push("expiring") }), [["done", "completed"]]);
  assert.deepEqual(told, ["expiring"]);
});

test("a signal closes the watch, one that was aborted before too, and nothing is told after it", { timeout: 10_000 }, async () => {
  const asked = answering((r) => stream(r, update(job(), version(1)), update(job({ progress_percent: 50 }), version(2))));
  const stopping = new AbortController();
  assert.deepEqual(await seen(one, { signal: stopping.signal, onUpdate: () => stopping.abort() }), []);
  const told = [];
  const watch = watchJob("j", { baseUrl, signal: stopping.signal, onUpdate: (job) => told.push(job) });
  for await (const event of watch) told.push(event);
  assert.deepEqual([watch.state, told, asked.length], ["closed", [], 1]);
});

test("a callback that throws is the caller's bug: it is reported, and the stream goes on", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  answering((r) => stream(r, update(job(), version(1)), done(job({ status: "failed" }), version(2))));
  const boom = () => {
    throw new Error("boom");
  };
  assert.deepEqual(await seen(one, { onUpdate: boom }), [["done", "failed"]]);
  assert.deepEqual(reported, ["boom"]);
});

test("leaving the loop closes the connection", async () => {
  const closed = new Promise((ended) => answering((r) => (r.on("close", ended), stream(r, update(job(), version(1))))));
  const watch = watchJobs({ baseUrl });
  for await (const { type } of watch) {
    assert.equal(type, "update");
    break;
  }
  await closed;
  assert.equal(watch.state, "closed");
});

test("a token is asked for at each connection and sent as a bearer header", async () => {
  const asked = answering((r) => r.writeHead(500).end(), (r) => stream(r, done(job({ status: "completed" }), version(1))));
  let calls = 0;
  await seen(one, { token: async () => `t${++calls}` });
  assert.deepEqual(asked.map((request) => request.headers.authorization), ["Bearer t1", "Bearer t2"]);
});

test("data that is no JSON, and events of other kinds, do not end the stream", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.name); // browsers have it, Node does not
  answering((r) => stream(r, "event: update\ndata: {oops\n\n", block("weather", { rain: true }), done(job({ status: "completed" }), version(1))));
  assert.deepEqual(await seen(one), [["done", "completed"]]);
  assert.deepEqual(reported, ["SyntaxError"]);
});

const TEXT = [
  ": a comment\n",
  "event: update\rdata: one\rdata:two\r\r",
  "data\r\n\r\n",
  "id: 7\ndata:  a space is kept\nnonsense: x\n\n",
  "id: 8\u0000\ndata: an id with NULL is none\n\n",
  "id: 9\n\n",
  "event: lonely\n\n",
  "retry: 250\nretry: 2x\ndata: é✓😀\n\n",
  "data: never ended",
].join("");
const EVENTS = [
  { type: "update", data: "one\ntwo", id: null },
  { type: "message", data: "", id: null },
  { type: "message", data: " a space is kept", id: "7" },
  { type: "message", data: "an id with NULL is none", id: null },
  { type: "message", data: "é✓😀", id: null },
];

function parsed(pieces) {
  const heard = [];
  const reached = [];
  const retries = [];
  const parser = new EventParser({ heard: (e) => heard.push(e), reached: (id) => reached.push(id), retry: (ms) => retries.push(ms) });
  for (const piece of pieces) parser.push(piece);
  return { heard, reached, retries };
}

test("the event stream format is read as the standard says, wherever the text is cut", () => {
  const expected = { heard: EVENTS, reached: ["7", "9"], retries: [250] };
  assert.deepEqual(parsed([TEXT]), expected);
  assert.deepEqual(parsed([...TEXT]), expected);
  for (let cut = 1; cut < TEXT.length; cut++) assert.deepEqual(parsed([TEXT.slice(0, cut), TEXT.slice(cut)]), expected);
});
