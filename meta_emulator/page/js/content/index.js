/** The content of a bubble by message type. Unknown shapes become a card with their JSON. */

import { button, el, kept } from "../element.js";
import { isOnlyEmoji, richText } from "../rich-text.js";
import { contacts, location, notice, order } from "./cards.js";
import { interactive } from "./interactive.js";
import { audio, document as file, image, sticker, video } from "./media.js";
import { template } from "./template.js";
import { unknown } from "./unknown.js";

const LONG = 800;
const LONG_LINES = 20;

const KINDS = {
  audio,
  button: (message) => words(message.button.text),
  contacts,
  document: file,
  image,
  interactive,
  location,
  order,
  sticker,
  system: notice,
  template,
  text: (message) => words(message.text.body),
  video,
};

/** The nodes of a message's content; `acts` are its actions (see `acts.js`). */
export function contentOf(message, acts) {
  if (message.revoked) return [el("p", { class: "faint" }, "This message was deleted.")];
  try {
    const kind = Object.hasOwn(KINDS, message.type) ? KINDS[message.type] : unknown;
    return kept([kind(message, acts)]);
  } catch {
    return [unknown(message)];
  }
}

function words(text) {
  if (typeof text !== "string") throw new TypeError("no text");
  const shown = el("div", { class: isOnlyEmoji(text) ? "words emoji-only" : "words", dir: "auto" }, ...richText(text));
  if (text.length <= LONG && text.split("\n").length <= LONG_LINES) return shown;
  shown.classList.add("long");
  const more = button({ class: "more", on: { click: () => (shown.classList.remove("long"), more.remove()) } }, "Read more");
  return [shown, more];
}
