/** The list of phones with their newest message, and the buttons to add one. */

import { arrowKeys, onlyInTabOrder } from "./arrows.js";
import { button, el } from "./element.js";
import { drawing, icon } from "./icons.js";
import { summary } from "./summary.js";
import { ticks } from "./status.js";
import { when } from "./times.js";

const SHOWN = 200;

export class PhoneList {
  /** `onOpen(waId)`, `onAdd()`, `onAddOwn()`; `themeButton` is shown on top. */
  constructor({ world, onOpen, onAdd, onAddOwn, themeButton }) {
    this.world = world;
    this.onOpen = onOpen;
    this.list = el("ul", { class: "phones", "aria-label": "Phones" });
    arrowKeys(this.list, ".entry");
    this.list.addEventListener("focusin", (event) => onlyInTabOrder(this.list.querySelectorAll(".entry"), event.target.closest(".entry")));
    this.search = el("input", { type: "search", "aria-label": "Search phones", placeholder: "Search by name or number", autocomplete: "off", on: { input: () => this.render(this.current) } });
    this.note = el("p", { class: "faint", hidden: true });
    this.elements = [
      el("header", { class: "brand" }, mark(), el("h1", {}, "Desk phone"), themeButton),
      el(
        "div",
        { class: "add" },
        button({ class: "primary", on: { click: onAdd } }, icon("add"), "Add phone"),
        button({ class: "plain wide", on: { click: onAddOwn } }, "With a number…"),
      ),
      el("div", { class: "search" }, this.search),
      this.list,
      this.note,
      el("footer", { class: "legal" }, "An emulator for developers. Not affiliated with Meta."),
    ];
  }

  /** Redraw the list; the focus stays on its phone. */
  render(current) {
    this.current = current;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.waId : null;
    const all = this.world.listed();
    const wanted = this.search.value.trim().toLowerCase();
    const found = wanted ? all.filter((phone) => matches(phone, wanted)) : all;
    this.list.replaceChildren(...found.slice(0, SHOWN).map((phone) => el("li", {}, this.#entry(phone, phone.wa_id === current))));
    const entries = [...this.list.querySelectorAll(".entry")];
    onlyInTabOrder(entries, entries.find((each) => each.getAttribute("aria-current")) ?? entries[0]);
    const hidden = (wanted ? found.length : Math.max(all.length, this.world.total)) - Math.min(found.length, SHOWN);
    this.note.hidden = hidden <= 0 && found.length > 0;
    this.note.textContent = found.length > 0 ? `${hidden} more: search, or open one by its number.` : "No phone has this name or number.";
    if (focused) this.list.querySelector(`[data-wa-id="${focused}"]`)?.focus();
  }

  #entry(phone, isCurrent) {
    const newest = this.world.newest.get(phone.wa_id);
    const unread = isCurrent ? 0 : (this.world.unread.get(phone.wa_id) ?? 0);
    return button(
      { class: "entry", "aria-current": isCurrent ? "true" : null, data: { waId: phone.wa_id }, on: { click: () => this.onOpen(phone.wa_id) } },
      avatar(phone),
      el(
        "span",
        { class: "entry-lines" },
        el("span", { class: "entry-top" }, el("strong", { dir: "auto" }, phone.name), newest && el("time", {}, when(newest.timestamp))),
        el(
          "span",
          { class: "entry-bottom" },
          newest?.direction === "out" && ticks(newest),
          el("span", { class: "last", dir: "auto" }, newest ? summary(newest) : `+${phone.wa_id}`),
          unread > 0 && el("span", { class: "unread", "aria-label": `${unread} unread` }, unread > 99 ? "99+" : String(unread)),
        ),
      ),
    );
  }
}

function matches({ name, wa_id: waId }, wanted) {
  const digits = wanted.replace(/[\s+().-]/g, "");
  return name.toLowerCase().includes(wanted) || (digits !== "" && waId.includes(digits));
}

/** A disc with the first letter, in a colour derived from the number. */
export function avatar({ name, wa_id: waId }) {
  const tone = [...String(waId)].reduce((sum, digit) => sum + digit.charCodeAt(0) * 7, 0) % 6;
  return el("span", { class: `avatar tone-${tone}`, "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
}

function mark() {
  const svg = drawing("0 0 24 24", "M8 2.5h8a2.5 2.5 0 0 1 2.5 2.5v14a2.5 2.5 0 0 1-2.5 2.5H8A2.5 2.5 0 0 1 5.5 19V5A2.5 2.5 0 0 1 8 2.5z", "M9 7.5h6M9 11h4", "M9.5 16h5");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("mark");
  return svg;
}
