// Prompts and URLs come from whoever filled in a form somewhere. Text is only ever set as text; this is for the URLs.

/** The address, if it is http(s) or a path on this origin; null for everything else, `javascript:` above all. */
export function safeUrl(text, origin = location.origin) {
  if (typeof text !== "string" || !/^(https?:\/\/|\/)/i.test(text.trim())) return null;
  return URL.canParse(text, origin) ? new URL(text, origin).href : null;
}

/** At most `length` characters: a card needs no 100 kB prompt, and laying one out makes the page stutter. */
export function brief(text, length = 240) {
  const line = String(text ?? "").slice(0, length * 2).replace(/\s+/g, " ").trim();
  if (line.length <= length) return line;
  return `${line.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, "")}…`; // not half of an emoji
}

/** Pictures are shown as pictures; the demo's clips are, real ones are videos. */
export function isPicture(url) {
  return /\.(svg|png|jpe?g|gif|webp|avif)$/i.test(new URL(url).pathname);
}
