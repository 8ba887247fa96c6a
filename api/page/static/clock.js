// The server's time, as far as its answers show it: a reader's clock may be minutes off, and elapsed times with it.

let ahead = 0;

/** Learns from an answer's Date header, which has whole seconds: small differences mean nothing. */
export function setClockBy(response) {
  const difference = Date.parse(response.headers.get("date")) / 1000 - Date.now() / 1000;
  ahead = Math.abs(difference) > 2 ? difference : 0;
}

export function now() {
  return Date.now() / 1000 + (ahead || 0);
}
