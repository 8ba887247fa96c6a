// Clips, sound and pictures whose addresses others wrote. What is there already is left alone, so that it plays on.

import { isPicture, safeUrl } from "./safe.js";

/** Makes the place show these in order: `{label, address}`, or `{label, state}` for what is not there yet. */
export function media(place, clips, { kind = "video", poster = null, item = "div" } = {}) {
  clips.forEach((clip, index) => {
    const held = place.children[index];
    const shows = clip.address || clip.state;
    if (held?.dataset.shows === shows) return;
    const box = boxed(clip, { kind, poster, item });
    box.dataset.shows = shows;
    if (held) held.replaceWith(box);
    else place.append(box);
  });
  while (place.childElementCount > clips.length) place.lastElementChild.remove();
}

function boxed({ label, address, state }, { kind, poster, item }) {
  const box = document.createElement(item);
  if (!address) box.append(frame(), said(`${label}: ${state}`));
  else box.append(shown(address, label, kind, poster));
  if (address && item === "li") box.append(said(label));
  return box;
}

function shown(address, label, kind, poster) {
  const url = safeUrl(address);
  if (!url) return said("Not shown: its address is neither http nor https.");
  const element = kind === "video" && isPicture(url) ? picture(label) : player(kind, label, poster);
  element.src = url;
  element.addEventListener("error", () => element.replaceWith(said(`${label}: could not be loaded`)));
  return element;
}

function picture(label) {
  const element = document.createElement("img");
  element.alt = label;
  element.loading = "lazy";
  return element;
}

function player(kind, label, poster) {
  const element = document.createElement(kind);
  element.controls = true;
  element.preload = "none";
  element.ariaLabel = label;
  if (poster && kind === "video") element.poster = poster;
  return element;
}

function frame() {
  const element = document.createElement("div");
  element.className = "frame";
  return element;
}

function said(text) {
  const caption = document.createElement("p");
  caption.textContent = text;
  return caption;
}
