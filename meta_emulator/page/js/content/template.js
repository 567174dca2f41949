/** Templates with their parameters filled in (`rendered`). */

import { el } from "../element.js";
import { icon } from "../icons.js";
import { bodyPart, choice, choices, footerPart, headerPart, linkChoice } from "./parts.js";

export function template(message, acts) {
  const shown = message.rendered;
  const press = (button) => acts.press(message, button.payload ?? button.text);
  return [
    ...parts(shown, acts, press),
    shown.cards &&
      el(
        "ul",
        { class: "cards", tabindex: "0", "aria-label": "Cards" },
        shown.cards.map((card) => el("li", { class: "card" }, ...parts(card, acts, press))),
      ),
  ].filter(Boolean);
}

function parts(shown, acts, press) {
  const buttons = shown.buttons ?? [];
  return [
    shown.header && headerPart(shown.header.format.toLowerCase(), shown.header, acts),
    bodyPart(shown.body),
    footerPart(shown.footer),
    buttons.length > 0 && choices(...buttons.map((button) => templateButton(button, acts, press))),
  ].filter(Boolean);
}

function templateButton(button, acts, press) {
  if (button.type === "QUICK_REPLY") return choice("reply", button.text, () => press(button));
  if (button.type === "URL") return linkChoice("link", button.text, button.url);
  if (button.code) return choice("copy", button.text, () => acts.copy(button.code, `Copied ${button.code}.`));
  const name = { PHONE_NUMBER: "call", FLOW: "flow", CATALOG: "shop" }[button.type] ?? "code";
  return el("span", { class: "choice", title: button.phone_number }, icon(name), el("span", { dir: "auto" }, button.text || button.type));
}
