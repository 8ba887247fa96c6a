// The dashboard: one stream of all jobs, the list read page by page, and both merged by the client's rule.

import { watchJobs } from "/client/headway.js";
import { Board } from "./board.js";
import { Connection, refusalInWords } from "./connection.js";
import { Pages } from "./pages.js";
import { addressOf, matches, order, sortKey, viewFrom } from "./view.js";
import { isFinal } from "./words.js";

const LINGER = 2_500; // a job that ends stays this long under "Processing": long enough to be seen ending
const RETRY = 3_000;

const $ = (id) => document.getElementById(id);
const board = new Board($("jobs"));
const connection = new Connection($("link"), $("link-text"));
const jobs = new Map();
const changed = new Set();
const lingering = new Set();
const places = new Map(); // the sort key with which each shown job was placed
let view = viewFrom(location.search);
let pages;
let reading;
let clockAhead = 0;
let drawing = false;

// Listen first, read second: what changes while the list is on its way is then known already.
const watch = watchJobs({ onUpdate: learn, onDone: learn, onDeleted: forget, onState: say, onError: stop });
open(view);

function open(next) {
  view = next;
  pages = new Pages(view);
  reading?.abort();
  reading = new AbortController();
  lingering.clear();
  markTab();
  arrange({ animate: false });
  readOn();
}

async function readOn() {
  const { signal } = reading;
  try {
    for (const job of await pages.next(signal)) watch.offer(job);
    note("");
    arrange({ animate: false });
  } catch (error) {
    if (signal.aborted) return;
    note(`The list could not be read (${error.message}) Trying again.`);
    setTimeout(() => signal.aborted || readOn(), RETRY);
  }
}

function learn(job) {
  const before = jobs.get(job.job_id);
  jobs.set(job.job_id, job);
  changed.add(job.job_id);
  if (before && belongs(before) && !matches(job, view) && isFinal(job)) linger(job.job_id);
  drawSoon();
}

function forget({ job_id: id }) {
  jobs.delete(id);
  changed.add(id);
  drawSoon();
}

function linger(id) {
  lingering.add(id);
  setTimeout(() => {
    lingering.delete(id);
    changed.add(id);
    drawSoon();
  }, LINGER);
}

// However many states come, the page draws once a frame, and not at all while nobody looks.
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
  if (ids.some(isMoved)) return arrange();
  for (const id of ids) if (board.has(id)) board.redraw(jobs.get(id), now());
}

function isMoved(id) {
  const job = jobs.get(id);
  const shown = Boolean(job && belongs(job));
  return shown !== board.has(id) || (shown && places.get(id) !== sortKey(job, view.sort));
}

function belongs(job) {
  return lingering.has(job.job_id) || (matches(job, view) && pages.reaches(job));
}

function arrange(how) {
  const shown = [...jobs.values()].filter(belongs).sort(order(view.sort));
  places.clear();
  for (const job of shown) places.set(job.job_id, sortKey(job, view.sort));
  board.show(shown, now(), how);
}

function now() {
  return Date.now() / 1000 + clockAhead;
}

function say(state) {
  connection.show(state);
}

function stop(error) {
  connection.show("closed", refusalInWords(error));
}

function note(text) {
  $("note").textContent = text;
  $("note").hidden = !text;
}

function markTab() {
  for (const tab of $("tabs").children)
    if (tab.dataset.status === view.status) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
}

$("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("a");
  if (!tab || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  open({ ...view, status: tab.dataset.status });
  history.replaceState(null, "", addressOf(view));
});

new IntersectionObserver(([end]) => {
  if (end.isIntersecting && pages.total !== null && !pages.complete) readOn();
}, { rootMargin: "800px" }).observe($("end"));

setInterval(() => board.tick(now()), 1_000);
