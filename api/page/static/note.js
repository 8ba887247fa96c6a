// One line above the list: why it is empty or not there, and what can be done about it.

import { put } from "./put.js";
import { FIRST_VIEW, isSameFilter } from "./view.js";

const EMPTY = {
  "": "No jobs yet. The first one appears here as soon as a pipeline writes it.",
  processing: "Nothing is being processed at the moment.",
  completed: "Nothing has been completed yet.",
  failed: "Nothing has failed.",
  pending: "Nothing is waiting.",
};

export class Note {
  #place;
  #text;
  #button;

  constructor(place, text, button) {
    [this.#place, this.#text, this.#button] = [place, text, button];
  }

  say(text, action = "", act = null) {
    this.#place.hidden = false;
    this.#button.hidden = !act;
    this.#button.onclick = act;
    this.#button.textContent = action;
    put(this.#text, text);
  }

  clear() {
    this.#place.hidden = true;
  }

  nothing(view, clearFilters) {
    if (isSameFilter(view, FIRST_VIEW)) this.say(EMPTY[view.status] ?? "No such jobs.");
    else this.say("Nothing here for what you asked.", "Clear the filters", clearFilters);
  }
}
