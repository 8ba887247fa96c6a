/** Sets a text only where it differs: setting the same one again costs a layout, and the reader's selection. */
export function put(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}
