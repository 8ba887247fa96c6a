// One job in full, in a dialog that follows the job while it is open.

import { media } from "./media.js";
import { put } from "./put.js";
import { brief, safeUrl } from "./safe.js";
import { exactly, nameOf, plain, SCENE_STATES, scenes, span, stageOf, timesOf } from "./words.js";

export class Detail {
  #dialog;
  #parts = {};
  #id = null;
  #job = null;

  /** `leave()` is called when the reader wants to close the dialog. */
  constructor(dialog, leave) {
    this.#dialog = dialog;
    for (const part of dialog.querySelectorAll("[data-part]")) this.#parts[part.dataset.part] = part;
    this.#parts.close.addEventListener("click", leave);
    dialog.addEventListener("cancel", (event) => (event.preventDefault(), leave()));
    dialog.addEventListener("click", (event) => event.target === dialog && leave()); // the backdrop
  }

  open(id, job, now) {
    this.#empty();
    this.#id = id;
    if (!this.#dialog.open) this.#dialog.showModal();
    if (job) this.drawIfOpen(id, job, now);
    else this.say("Looking for this job …");
    document.body.classList.add("held"); // a modal dialog alone does not stop the page behind it from scrolling
    this.#dialog.scrollTop = 0;
  }

  /** Closes it; the id of the job that was shown, if one was. */
  close() {
    const id = this.#id;
    this.#id = null;
    this.#empty(); // what plays, stops
    this.#dialog.close();
    document.body.classList.remove("held");
    return id;
  }

  /** Draws what is known of the job now, null if there is no such job. */
  drawIfOpen(id, job, now) {
    if (id !== this.#id) return;
    this.#job = job;
    if (!job) return this.say("There is no such job, or no longer.");
    this.#expect("job");
    this.#draw(job, now);
  }

  /** Says something in the place of the job. */
  say(text) {
    this.#expect("missing");
    put(this.#parts.missing, text);
  }

  tick(now) {
    if (this.#job) put(this.#parts.times, timesOf(this.#job, now));
  }

  #expect(what) {
    const { job, missing, status } = this.#parts;
    missing.hidden = what === "job";
    job.hidden = status.hidden = what !== "job";
    this.#dialog.setAttribute("aria-labelledby", what === "job" ? "detail-name" : "detail-missing");
  }

  #draw(job, now) {
    const parts = this.#parts;
    this.#dialog.dataset.status = job.status;
    put(parts.status, plain(job.status));
    put(parts.name, brief(nameOf(job), 140));
    put(parts.stage, stageOf(job));
    put(parts.number, job.progress_percent);
    parts.bar.setAttribute("aria-valuenow", job.progress_percent);
    parts.bar.setAttribute("aria-valuetext", `${job.progress_percent} percent, ${stageOf(job)}`);
    parts.bar.style.setProperty("--percent", job.progress_percent);
    put(parts.error, job.error_message ?? "");
    parts.error.hidden = !job.error_message;
    this.#media(job);
    put(parts.prompt, job.prompt ?? "");
    parts.asked.hidden = !job.prompt;
    this.#facts(job);
    this.tick(now);
    // Who has no mouse scrolls what has the focus.
    for (const part of [parts.error, parts.prompt]) part.tabIndex = part.scrollHeight > part.clientHeight ? 0 : -1;
  }

  #media(job) {
    const { final, clips, sound } = this.#parts;
    const poster = safeUrl(job.thumbnail_url);
    media(final, one(job.video_url, `Final video of ${brief(nameOf(job), 80)}`), { poster });
    media(clips, clipsOf(job), { item: "li" });
    media(sound, one(job.audio_url, "Audio track"), { kind: "audio" });
    for (const place of [final, clips, sound]) place.parentElement.hidden = !place.childElementCount;
  }

  #facts(job) {
    const facts = {
      Created: exactly(job.created_at),
      Changed: exactly(job.updated_at),
      Ended: job.completed_at && exactly(job.completed_at),
      Length: job.duration && span(job.duration),
      Scenes: job.scenes_total && `${job.scenes_completed ?? 0} of ${job.scenes_total}`,
      "Job id": job.job_id,
    };
    const known = Object.entries(facts).filter(([, value]) => value);
    const text = JSON.stringify(known);
    if (this.#parts.facts.dataset.text === text) return; // selected text stays selected
    this.#parts.facts.dataset.text = text;
    this.#parts.facts.replaceChildren(...known.map(fact));
  }

  #empty() {
    this.#job = null;
    for (const part of ["final", "clips", "sound"]) this.#parts[part].replaceChildren();
    this.#parts.bar.replaceChildren(document.createElement("div")); // the next job's bar does not start where this one's was
  }
}

function one(address, label) {
  return address ? [{ address, label }] : [];
}

/** The clips there are, and while the job goes on a frame for each to come: they fill in without moving the rest. */
function clipsOf(job) {
  const urls = job.scene_video_urls ?? [];
  const states = job.status === "processing" && job.scenes_total ? scenes(job) : [];
  const clips = Array.from({ length: Math.max(urls.length, states.length) }, (_, index) => ({
    label: `Scene ${index + 1}`,
    address: urls[index],
    state: SCENE_STATES[states[index]],
  }));
  return clips.filter(({ address, state }) => address || state);
}

function fact([name, value]) {
  const pair = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  [term.textContent, text.textContent] = [name, value];
  pair.append(term, text);
  return pair;
}
