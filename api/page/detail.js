// One job in full, in a dialog that follows the job while it is open.

import { media } from "./media.js";
import { brief, safeUrl } from "./safe.js";
import { exactly, nameOf, span, stageOf, timesOf } from "./words.js";

export class Detail {
  #dialog;
  #parts = {};
  #id = null;
  #job = null;

  /** `closed()` is called when the reader closes the dialog. */
  constructor(dialog, closed) {
    this.#dialog = dialog;
    for (const part of dialog.querySelectorAll("[data-part]")) this.#parts[part.dataset.part] = part;
    const leave = () => (this.close(), closed());
    this.#parts.close.addEventListener("click", leave);
    dialog.addEventListener("cancel", (event) => (event.preventDefault(), leave()));
    dialog.addEventListener("click", (event) => event.target === dialog && leave()); // the backdrop
  }

  open(id, job, now) {
    this.#empty();
    this.#id = id;
    if (job) this.drawIfOpen(id, job, now);
    if (!this.#dialog.open) this.#dialog.showModal();
    document.body.classList.add("held"); // a modal dialog alone does not stop the page behind it from scrolling
    this.#dialog.scrollTop = 0;
  }

  close() {
    this.#id = null;
    this.#empty(); // what plays, stops
    this.#dialog.close();
    document.body.classList.remove("held");
  }

  /** Draws what is known of the job now, null if there is no such job. */
  drawIfOpen(id, job, now) {
    if (id !== this.#id) return;
    this.#job = job;
    this.#parts.missing.hidden = Boolean(job);
    this.#parts.job.hidden = this.#parts.status.hidden = !job;
    if (job) this.#draw(job, now);
    else put(this.#parts.missing, "There is no such job, or no longer.");
  }

  tick(now) {
    if (this.#job) put(this.#parts.times, timesOf(this.#job, now));
  }

  #draw(job, now) {
    const parts = this.#parts;
    this.#dialog.dataset.status = job.status;
    put(parts.status, job.status.charAt(0).toUpperCase() + job.status.slice(1));
    put(parts.name, brief(nameOf(job), 140));
    put(parts.stage, stageOf(job));
    put(parts.number, job.progress_percent);
    parts.bar.setAttribute("aria-valuenow", job.progress_percent);
    parts.bar.setAttribute("aria-valuetext", `${job.progress_percent} percent, ${stageOf(job)}`);
    parts.bar.style.setProperty("--percent", job.progress_percent);
    put(parts.error, job.error_message ?? "");
    parts.error.hidden = !job.error_message;
    this.#media(job);
    put(parts.prompt.querySelector(".prompt"), job.prompt ?? "");
    parts.prompt.hidden = !job.prompt;
    this.#facts(job);
    this.tick(now);
  }

  #media(job) {
    const poster = safeUrl(job.thumbnail_url);
    const { final, clips, sound } = this.#parts;
    media(final.lastElementChild, [job.video_url], { label: () => `Final video of ${nameOf(job)}`, poster });
    media(clips.lastElementChild, job.scene_video_urls ?? [], { label: (n) => `Scene ${n}`, item: "li" });
    media(sound.lastElementChild, [job.audio_url], { label: () => "Audio track", kind: "audio" });
    for (const section of [final, clips, sound]) section.hidden = !section.lastElementChild.childElementCount;
  }

  #facts(job) {
    const facts = {
      Created: exactly(job.created_at),
      Changed: exactly(job.updated_at),
      Ended: job.completed_at && exactly(job.completed_at),
      Length: job.duration && span(job.duration),
      Scenes: job.scenes_total && `${job.scenes_completed ?? 0} of ${job.scenes_total}`,
      Id: job.job_id,
    };
    const known = Object.entries(facts).filter(([, value]) => value);
    const text = JSON.stringify(known);
    if (this.#parts.facts.dataset.text === text) return; // selected text stays selected
    this.#parts.facts.dataset.text = text;
    this.#parts.facts.replaceChildren(...known.map(fact));
  }

  #empty() {
    this.#job = null;
    for (const part of ["final", "clips", "sound"]) this.#parts[part].lastElementChild.replaceChildren();
  }
}

function put(element, value) {
  if (element.textContent !== String(value)) element.textContent = value;
}

function fact([name, value]) {
  const pair = document.createElement("div");
  const term = document.createElement("dt");
  const text = document.createElement("dd");
  [term.textContent, text.textContent] = [name, value];
  pair.append(term, text);
  return pair;
}
