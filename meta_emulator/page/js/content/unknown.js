/** A message of an unknown type: its type and its JSON. */

import { el } from "../element.js";
import { icon } from "../icons.js";
import { jsonView } from "../json-view.js";

/** A card with the message's content. */
export function unknown(message) {
  const name = `Message of type ${message.type}`;
  return el(
    "div",
    { class: "card json-card" },
    el("div", { class: "card-head" }, icon("code"), el("strong", {}, message.type)),
    jsonView(message[message.type] ?? null, name),
  );
}
