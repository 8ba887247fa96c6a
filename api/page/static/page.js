// The dashboard: one stream of all jobs, the list read page by page, and both merged by the client's rule.

import { watchJobs } from "/client/headway.js";
import { Board } from "./board.js";
import { now } from "./clock.js";
import { Connection, refusalInWords } from "./connection.js";
import { Counts } from "./counts.js";
import { Detail } from "./detail.js";
import { Filters } from "./filters.js";
import { News } from "./news.js";
import { Note } from "./note.js";
import { find, Pages } from "./pages.js";
import { patiently } from "./patience.js";
import { put } from "./put.js";
import { addressOf, FIRST_VIEW, isSameFilter, matches, order, sortKey, viewFrom } from "./view.js";
import { headline, isFinal } from "./words.js";

const LINGER = 2_500; // a job that ends stays this long under "Processing": long enough to be seen ending
const REST = 500; // between two orders of the cards: faster, nobody could follow them, and the page did nothing else
const RETURN = 2_000; // after an outage all pages come back at once; each reads the list somewhere within this time

const $ = (id) => document.getElementById(id);
const board = new Board($("jobs"));
const connection = new Connection($("link"), $("link-text"));
const filters = new Filters($("filters"), $("tabs"), ask);
const note = new Note($("note"), $("note-text"), $("note-act"));
const news = new News($("news"));
const counts = new Counts();
const detail = new Detail($("detail"), leaveDetail);

const jobs = new Map(); // all that we know of
const changed = new Set(); // not drawn yet
const lingering = new Set();
const places = new Map(); // the sort key by which each shown job was placed
let shown = null; // the view and its pages; null until the first page is there
let asked = null; // the same, as asked for last
let reading = new AbortController();
let opening = new AbortController();
let trouble = ""; // why the list cannot be read
let drawing = false;
let arranging = 0; // the timer, while the cards are to be put in order
let arranged = 0; // when they were
let wasAway = false;

const nearEnd = new IntersectionObserver(
  (entries) => entries.at(-1).isIntersecting && readOn(shown, reading.signal),
  { rootMargin: "800px" },
);

// Listen first, read second: what changes while the list is on its way is then known already.
const watch = watchJobs({ onUpdate: learn, onDone: learn, onDeleted: forget, onState: say, onError: refuse });
follow();

// What the reader asks for.

function ask(view) {
  history.replaceState(history.state, "", addressOf(view));
  open(view);
}

/** Shows what the address says. */
function follow() {
  const view = viewFrom(location.search);
  if (!asked || addressOf(view) !== addressOf(asked.view)) open(view);
  const id = new URLSearchParams(location.search).get("job");
  if (id) openDetail(id);
  else closeDetail();
}

function open(view) {
  if (!asked || !isSameFilter(view, asked.view)) recount(view);
  asked = { view, pages: new Pages(view) };
  filters.show(view);
  $("board").ariaBusy = "true";
  reading.abort();
  reading = new AbortController();
  readOn(asked, reading.signal);
}

// The list, read until the page is full, and on when the reader nears its end.

async function readOn(from, signal) {
  nearEnd.disconnect();
  const page = await patiently(() => from.pages.next(signal), signal, complain);
  if (!page) return;
  if (shown !== from) lingering.clear();
  shown = from;
  $("board").ariaBusy = "false";
  page.forEach(offer);
  arrange({ animate: false });
  // Observed anew each time: that reports the end even if it never left the screen.
  if (!from.pages.complete) nearEnd.observe($("end"));
}

function offer(job) {
  // Known before it is offered: a job from the list is no news, the counts have it.
  if (!jobs.has(job.job_id)) jobs.set(job.job_id, job);
  watch.offer(job);
}

function complain(why) {
  trouble = why && `The list could not be read: ${why}`;
  takeNote();
}

/** Says why there is nothing to see, if there is nothing. */
function takeNote() {
  if (trouble) note.say(trouble);
  else if (shown?.pages.complete && board.isEmpty) note.nothing(shown.view, clearFilters);
  else note.clear();
}

function clearFilters() {
  ask({ ...FIRST_VIEW, status: asked.view.status });
  filters.focus(); // the button that has it goes
}

async function recount(view) {
  const isKnown = await counts.read(view);
  countUp();
  if (isKnown && !isSameFilter(view, FIRST_VIEW)) news.say($("headline").textContent);
}

// What the stream tells.

function learn(job) {
  const before = jobs.get(job.job_id) ?? null;
  jobs.set(job.job_id, job);
  changed.add(job.job_id);
  counts.move(before, job);
  if (before && !isFinal(before) && isFinal(job)) end(before, job);
  drawSoon();
}

function end(before, job) {
  news.ended(job);
  if (!shown || !belongs(before) || matches(job, shown.view)) return;
  lingering.add(job.job_id);
  setTimeout(() => {
    lingering.delete(job.job_id);
    changed.add(job.job_id);
    drawSoon();
  }, LINGER);
}

function forget({ job_id: id }) {
  counts.move(jobs.get(id) ?? null, null);
  jobs.delete(id);
  changed.add(id);
  drawSoon();
}

function say(state) {
  if (state !== "closed") connection.show(state); // else refuse() says why
  document.body.dataset.link = state;
  if (state === "reconnecting") wasAway = true;
  if (state !== "live" || !wasAway) return;
  wasAway = false;
  setTimeout(catchUp, Math.random() * RETURN);
}

/** What ended, or came and ended, during a long absence is in the list only. */
async function catchUp() {
  if (!shown) return;
  recount(shown.view);
  const { signal } = reading;
  const page = await patiently(() => new Pages(shown.view).next(signal), signal, complain);
  page?.forEach(offer);
  drawSoon();
}

function refuse(error) {
  connection.show("closed", refusalInWords(error));
}

// Drawing: however many states come, once a frame, and not at all while nobody looks.

function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  const ids = [...changed];
  changed.clear();
  countUp();
  for (const id of ids) detail.drawIfOpen(id, jobs.get(id) ?? null, now());
  if (!shown) return;
  for (const id of ids) if (board.has(id) && jobs.has(id)) board.redraw(jobs.get(id));
  if (ids.some(isMoved)) arrangeSoon();
}

function arrangeSoon() {
  arranging ||= setTimeout(arrange, Math.max(0, arranged + REST - performance.now()));
}

function isMoved(id) {
  const job = jobs.get(id);
  const isShown = Boolean(job && belongs(job));
  return isShown !== board.has(id) || (isShown && places.get(id) !== sortKey(job, shown.view.sort));
}

function belongs(job) {
  return lingering.has(job.job_id) || (matches(job, shown.view) && shown.pages.reaches(job));
}

function arrange(how) {
  clearTimeout(arranging);
  [arranging, arranged] = [0, performance.now()];
  const { view } = shown;
  const cards = [...jobs.values()].filter(belongs).sort(order(view.sort));
  places.clear();
  for (const job of cards) places.set(job.job_id, sortKey(job, view.sort));
  board.show(cards, how);
  takeNote();
}

function countUp() {
  const found = counts.of(jobs.values());
  filters.count(found, counts.isExact);
  if (!found) return;
  put($("headline"), headline(found, !isSameFilter(asked.view, FIRST_VIEW)));
  put($("title"), found.processing ? `${found.processing} under way · Headway` : "Headway");
}

// The detail view has an address of its own, so that it can be sent, and Back closes it.

async function openDetail(id) {
  opening.abort();
  opening = new AbortController();
  detail.open(id, jobs.get(id) ?? null, now());
  if (jobs.has(id)) return;
  const job = await patiently((signal) => find(id, signal), opening.signal, (why) => why && detail.say(`This job could not be read: ${why}`));
  if (job) offer(job);
  if (job !== undefined) detail.drawIfOpen(id, jobs.get(id) ?? job, now());
}

function leaveDetail() {
  closeDetail();
  if (history.state?.opened) history.back();
  else history.replaceState(null, "", addressOf(asked.view));
}

function closeDetail() {
  opening.abort();
  const id = detail.close();
  // The card may be gone meanwhile, or was never there: then the browser leaves the focus in what is closed now.
  const { activeElement } = document;
  if (id && (activeElement === document.body || $("detail").contains(activeElement))) board.focus(id);
}

$("jobs").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const { id } = link.closest("[data-id]").dataset;
  history.pushState({ opened: true }, "", addressOf(asked.view, id));
  openDetail(id);
});

addEventListener("popstate", follow);

// Without a new address: going back to one that ends in #jobs would take the focus from where it was.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("jobs").focus();
});

setInterval(() => {
  board.tick();
  detail.tick(now());
}, 1_000);
