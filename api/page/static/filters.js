// The form above the list, and the tabs: what they show is the view, and what is done to them makes a new one.

import { put } from "./put.js";
import { addressOf, FIRST_VIEW } from "./view.js";

const TYPING = 250;

export class Filters {
  #form;
  #tabs;
  #view = FIRST_VIEW;
  #ask;
  #typing;

  /** `ask(view)` is called with what the reader wants to see. */
  constructor(form, tabs, ask) {
    [this.#form, this.#tabs, this.#ask] = [form, tabs, ask];
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", ({ target }) => this.#changed(target.type === "search" ? TYPING : 0));
    tabs.addEventListener("click", (event) => this.#chosen(event));
    addEventListener("keydown", (event) => this.#slash(event));
  }

  show(view) {
    this.#view = view;
    for (const field of this.#form.querySelectorAll("[name]"))
      if (field !== document.activeElement || field.type !== "search") field.value = view[field.name];
    for (const tab of this.#tabs.children) {
      tab.href = addressOf({ ...view, status: tab.dataset.status });
      tab.ariaCurrent = tab.dataset.status === view.status ? "page" : null;
    }
  }

  count(counts, isExact = true) {
    for (const tab of this.#tabs.children) {
      const { status } = tab.dataset;
      const isCounted = isExact || status === "processing" || status === "pending"; // those the stream has told
      put(tab.querySelector("b"), counts ? `${counts[status]}${isCounted ? "" : "+"}` : "");
    }
  }

  focus() {
    this.#form.elements.q.focus();
  }

  #changed(pause) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#ask({ ...this.#view, ...Object.fromEntries(new FormData(this.#form)) }), pause);
  }

  #chosen(event) {
    const tab = event.target.closest("a");
    if (!tab || event.metaKey || event.ctrlKey || event.shiftKey) return; // a new tab or window, as asked
    event.preventDefault();
    this.#ask({ ...this.#view, status: tab.dataset.status });
  }

  #slash(event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    this.focus();
  }
}
