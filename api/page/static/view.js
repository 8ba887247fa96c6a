// What the reader asked to see: pure rules for which jobs belong to it and in what order, the same as the api's.

export const FIRST_VIEW = Object.freeze({ status: "", q: "", from: "", to: "", sort: "-created_at" });

const ALLOWED = {
  status: /^(processing|completed|failed|pending)$/,
  q: /\S/,
  from: /^\d{4}-\d\d-\d\d$/,
  to: /^\d{4}-\d\d-\d\d$/,
  sort: /^-?(created_at|updated_at|duration|status|progress_percent)$/,
};

/** The view that the page's address asks for; what makes no sense there is left out. */
export function viewFrom(search) {
  const given = new URLSearchParams(search);
  const view = { ...FIRST_VIEW };
  for (const [key, allowed] of Object.entries(ALLOWED)) if (allowed.test(given.get(key) ?? "")) view[key] = given.get(key);
  return view;
}

/** The view as the page's own address says it; nothing for what is as at first. */
export function addressOf(view, job = "") {
  const said = Object.entries({ ...view, job }).filter(([key, value]) => value && value !== FIRST_VIEW[key]);
  return `/${said.length ? `?${new URLSearchParams(said)}` : ""}`;
}

/** The view as the api's query parameters. */
export function queryOf(view) {
  const asked = { status: view.status, q: view.q.trim(), created_after: after(view), created_before: before(view), sort: view.sort };
  return new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
}

/** Whether two views differ in tab and order only. */
export function isSameFilter(one, other) {
  return ["q", "from", "to"].every((key) => one[key].trim() === other[key].trim());
}

export function matches(job, view) {
  return (!view.status || job.status === view.status) && matchesFilters(job, view);
}

/** As `matches`, whatever the tab. */
export function matchesFilters(job, view) {
  if (view.from && job.created_at < after(view)) return false;
  if (view.to && job.created_at >= before(view)) return false;
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const text = `${job.prompt ?? ""}\n${job.title ?? ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

/** Which of two jobs comes first. Ids break ties, so that equal jobs never swap places. */
export function order(sort) {
  const down = sort.startsWith("-") ? -1 : 1;
  const key = sort.replace("-", "");
  return (a, b) => down * (ranked(a[key], b[key]) || ranked(a.job_id, b.job_id));
}

export function sortKey(job, sort) {
  return job[sort.replace("-", "")];
}

function ranked(a = 0, b = 0) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// Days are the reader's own: from the first midnight to the one after the last day.
function after({ from }) {
  return from && Math.floor(new Date(`${from}T00:00`).getTime() / 1000);
}

function before({ to }) {
  if (!to) return "";
  const day = new Date(`${to}T00:00`);
  day.setDate(day.getDate() + 1);
  return Math.floor(day.getTime() / 1000);
}
