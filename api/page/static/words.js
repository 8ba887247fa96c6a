// What a job is, in words that a person would use. Pure: a job and a time in, text out.

const STAGES = {
  script_generating: "Writing the script",
  script_complete: "Script ready",
  audio_generating: "Making the audio",
  audio_complete: "Audio ready",
  composing: "Putting it all together",
  complete: "Done",
};

const MOST_SCENES = 50;

export function nameOf(job) {
  return job.title || job.prompt || job.job_id;
}

export function stageOf(job) {
  if (job.status === "completed") return "Done";
  if (job.status === "failed") return failure(work(job));
  if (job.status === "pending") return "In the queue";
  return work(job);
}

function work(job) {
  return STAGES[job.stage] ?? sceneStage(job) ?? plain(job.stage || job.status);
}

function failure(doing) {
  return /^(Writing|Making|Putting) /.test(doing) ? `Failed while ${doing.charAt(0).toLowerCase()}${doing.slice(1)}` : "Failed";
}

function sceneStage(job) {
  const [, number, step] = /^scene_(\d+)_(generating|complete)$/.exec(job.stage ?? "") ?? [];
  if (!number) return null;
  const scene = `cene ${number} of ${Math.max(scenesOf(job), number)}`;
  return step === "complete" ? `S${scene} ready` : `Making s${scene}`;
}

/** An identifier such as `paused_by_operator`, in words. */
export function plain(word) {
  const text = String(word).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What goes on, from the counts by status. */
export function headline({ "": all, processing, pending }, isFiltered) {
  if (isFiltered) return all ? `${all} ${all === 1 ? "job matches" : "jobs match"}` : "No job matches";
  const going = processing ? `${processing} ${processing === 1 ? "job" : "jobs"} under way` : "";
  const waiting = pending ? `${pending} waiting` : "";
  return [going, waiting].filter(Boolean).join(", ") || "Nothing under way";
}

/** How many scenes the job has; three where nobody says, as the percent assumes too. */
export function scenesOf(job) {
  const done = job.scenes_completed ?? 0;
  if (job.status === "completed") return job.scenes_total ?? done;
  return Math.max(job.scenes_total ?? 3, done);
}

export const SCENE_STATES = { done: "ready", now: "in the making", failed: "failed", next: "not started" };

/** The scenes in order, each "done", "now", "failed" or "next"; none while nobody has said how many, or where they are too many. */
export function scenes(job) {
  const done = job.scenes_completed ?? 0;
  const current = Number(/^scene_(\d+)_generating$/.exec(job.stage ?? "")?.[1] ?? 0);
  const isPlanned = job.scenes_total || done || current; // else how many there will be is a guess
  if (!isPlanned || scenesOf(job) > MOST_SCENES) return [];
  return Array.from({ length: scenesOf(job) }, (_, index) => {
    if (index < done || job.status === "completed") return "done";
    if (index + 1 !== current) return "next";
    return { processing: "now", failed: "failed" }[job.status] ?? "next";
  });
}

export function isFinal(job) {
  return job.status === "completed" || job.status === "failed";
}

/** Seconds from creation until the end, or until now. */
export function elapsed(job, now) {
  const end = isFinal(job) ? (job.completed_at ?? job.updated_at) : now;
  return Math.max(0, end - job.created_at);
}

/** Seconds left if it goes on at its pace so far; null while that says nothing. */
export function remaining(job, now) {
  if (job.status !== "processing" || job.progress_percent < 5) return null;
  const done = job.progress_percent / 100;
  const passed = elapsed(job, now);
  const atLastUpdate = (job.updated_at - job.created_at) / done;
  // The next scene is not there yet, so the whole takes at least this long; a last tenth is always left to do.
  const atLeast = passed / Math.min(0.9, done + 1 / scenesOf(job));
  return Math.max(atLastUpdate, atLeast) - passed;
}

export function timesOf(job, now) {
  if (job.status === "pending") return `waiting for ${span(elapsed(job, now))}`;
  if (job.status === "completed") return `took ${span(elapsed(job, now))}`;
  if (job.status === "failed") return `after ${span(elapsed(job, now))}`;
  const left = remaining(job, now);
  const passed = `${span(elapsed(job, now))} so far`;
  if (left === null) return passed;
  const isLast = job.progress_percent >= 90 && left < 20;
  return isLast ? `${passed} · nearly there` : `${passed} · about ${roughly(left)} left`;
}

export function span(seconds) {
  const s = Math.round(seconds);
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(s / unit));
  if (days) return pair(days, "d", hours % 24, "h");
  if (hours) return pair(hours, "h", minutes % 60, "min");
  return minutes ? pair(minutes, "min", s % 60, "s") : `${s} s`;
}

function pair(large, unit, small, part) {
  return small ? `${large} ${unit} ${small} ${part}` : `${large} ${unit}`;
}

// An estimate that shows seconds claims to know them.
function roughly(seconds) {
  if (seconds <= 50) return `${Math.ceil(seconds / 10) * 10 || 10} s`;
  if (seconds < 3300) return `${Math.round(seconds / 60) || 1} min`;
  return `${Math.round(seconds / 3600) || 1} h`;
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const HOUR = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function moment(seconds, now) {
  const date = new Date(seconds * 1000);
  if (now - seconds < 60) return "just now";
  if (now - seconds < 3600) return `${Math.floor((now - seconds) / 60)} min ago`;
  const today = date.toDateString() === new Date(now * 1000).toDateString();
  return today ? `today, ${HOUR.format(date)}` : `${DAY.format(date)}, ${HOUR.format(date)}`;
}

export function exactly(seconds) {
  return FULL.format(new Date(seconds * 1000));
}
