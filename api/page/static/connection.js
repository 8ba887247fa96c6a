// Whether what the page shows is live, said in the corner.

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  stale: "Delayed: the live feed is interrupted",
};

export class Connection {
  #badge;
  #text;

  constructor(badge, text) {
    this.#badge = badge;
    this.#text = text;
  }

  show(state, why = "") {
    this.#badge.dataset.state = state;
    this.#text.textContent = why || WORDS[state];
  }
}

/** What a refusal means for the person in front of the page. */
export function refusalInWords(error) {
  return error.status === 401 ? "Signed out: sign in and reload" : `Disconnected: ${error.message}`;
}
