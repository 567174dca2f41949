/** Short notes that disappear by themselves; the region is an alert, so screen readers announce them immediately. */

import { button, el } from "./element.js";
import { icon } from "./icons.js";

const SECONDS = 7;

/** Show a note. `kind` is `error` or `done`. */
export function toast(text, kind = "error") {
  const close = button({ class: "plain", "aria-label": "Dismiss", on: { click: () => note.remove() } }, icon("close"));
  const note = el("div", { class: `toast ${kind}` }, el("span", {}, text), close);
  document.querySelector("#toasts").append(note);
  setTimeout(() => note.remove(), SECONDS * 1000);
}

/** Copy a text and show a note; without the clipboard API (no https), use `execCommand`. */
export async function copy(text, note = "Copied.") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "spoken", value: text });
    document.body.append(area);
    area.select();
    const worked = document.execCommand("copy");
    area.remove();
    if (!worked) return toast("The browser does not allow copying.");
  }
  return toast(note, "done");
}
