/** Header, body, footer and buttons of interactive messages and templates. */

import { button, el } from "../element.js";
import { icon } from "../icons.js";
import { outsideLink, richText, safeUrl } from "../rich-text.js";
import { film, paper, picture } from "./media.js";

/** A header of kind text, image, video, document or location. */
export function headerPart(kind, header, acts) {
  const value = header[kind];
  if (kind === "text") return el("div", { class: "head words", dir: "auto" }, String(value));
  if (kind === "image") return picture(value, acts);
  if (kind === "video") return film(value);
  if (kind === "document") return paper(value);
  return el("div", { class: "head" }, String(value?.name ?? kind));
}

export function bodyPart(text) {
  return text ? el("div", { class: "words", dir: "auto" }, ...richText(String(text))) : null;
}

export function footerPart(text) {
  return text ? el("div", { class: "foot", dir: "auto" }, String(text)) : null;
}

/** The row of buttons below a bubble's text. */
export function choices(...buttons) {
  return el("div", { class: "choices" }, ...buttons);
}

/** A button of that row. */
export function choice(name, text, onClick) {
  return button({ class: "choice", on: { click: onClick } }, name && icon(name), el("span", { dir: "auto" }, text));
}

/** A link as a button; an address other than http(s) is shown without a link. */
export function linkChoice(name, text, address) {
  const href = safeUrl(address);
  const parts = [icon(name), el("span", { dir: "auto" }, text)];
  if (!href) return el("span", { class: "choice", title: String(address) }, ...parts);
  const link = outsideLink(href, ...parts);
  link.classList.add("choice");
  link.title = href;
  return link;
}
