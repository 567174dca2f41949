/** Short notes that go by themselves; the region is an alert, so they are heard at once. */

import { button, el } from "./element.js";
import { icon } from "./icons.js";

const SECONDS = 7;

/** Say it. `kind` is `error` or `done`. */
export function toast(text, kind = "error") {
  const close = button({ class: "plain", "aria-label": "Dismiss", on: { click: () => note.remove() } }, icon("close"));
  const note = el("div", { class: `toast ${kind}` }, el("span", {}, text), close);
  document.querySelector("#toasts").append(note);
  setTimeout(() => note.remove(), SECONDS * 1000);
}

/** Copy a text, and say so; without the clipboard (no https) the old way of browsers is tried. */
export async function copy(text, told = "Copied.") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "spoken", value: text });
    document.body.append(area);
    area.select();
    const worked = document.execCommand("copy");
    area.remove();
    if (!worked) return toast("The browser did not let the page copy.");
  }
  return toast(told, "done");
}
