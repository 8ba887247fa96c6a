// Clips, sound and pictures whose addresses others wrote. What is there already is left alone, so that it plays on.

import { isPicture, safeUrl } from "./safe.js";

/** Makes the place show these addresses in order; unsafe ones are named, not linked. */
export function media(place, addresses, { label, poster = null, kind = "video", item = "div" }) {
  addresses.filter(Boolean).forEach((address, index) => {
    const held = place.children[index];
    if (held?.dataset.address === address) return;
    const box = boxed(address, label(index + 1), { poster, kind, item });
    if (held) held.replaceWith(box);
    else place.append(box);
  });
  while (place.childElementCount > addresses.filter(Boolean).length) place.lastElementChild.remove();
}

function boxed(address, label, { poster, kind, item }) {
  const box = document.createElement(item);
  box.dataset.address = address;
  const url = safeUrl(address);
  box.append(url ? shown(url, label, poster, kind) : said("Not shown: its address is neither http nor https."));
  if (item === "li") box.append(said(label));
  return box;
}

function shown(url, label, poster, kind) {
  const isImage = kind === "video" && isPicture(url);
  const element = document.createElement(isImage ? "img" : kind);
  if (isImage) {
    element.alt = label;
    element.loading = "lazy";
  } else {
    element.controls = true;
    element.preload = "none";
    element.ariaLabel = label;
    if (poster && kind === "video") element.poster = poster;
  }
  element.src = url;
  element.addEventListener("error", () => element.replaceWith(said(`${label}: could not be loaded`)));
  return element;
}

function said(text) {
  const caption = document.createElement("p");
  caption.textContent = text;
  return caption;
}
