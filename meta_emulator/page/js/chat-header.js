/** The header of the conversation: the business, its service window, and settings. */

import { button, el, kept } from "./element.js";
import { icon } from "./icons.js";
import { span } from "./times.js";

export class ChatHeader {
  #until = 0;
  #timer = null;

  constructor({ world, onBack, onNumber, onOffers, onSettings, onTraffic }) {
    this.world = world;
    this.title = el("h2", { tabindex: "-1" });
    this.line = el("p", { class: "line", role: "status" });
    this.window = el("span", { class: "window" });
    this.numbers = el("select", { "aria-label": "Business number", hidden: true, on: { change: () => onNumber(this.numbers.value) } });
    this.traffic = button({ class: "plain", "aria-label": "Traffic", title: "Traffic", "aria-expanded": "false", "aria-controls": "traffic", on: { click: onTraffic } }, icon("traffic"));
    this.offers = button({ class: "plain", on: { click: () => onOffers() } }, icon("offers"));
    this.element = el(
      "header",
      { class: "chat-header" },
      button({ class: "plain back", "aria-label": "All phones", on: { click: onBack } }, icon("back")),
      el("span", { class: "avatar business", "aria-hidden": "true" }, icon("shop")),
      el("div", { class: "who" }, this.title, this.line),
      this.numbers,
      this.window,
      this.offers,
      button({ class: "plain", "aria-label": "Settings of this phone", title: "Settings of this phone", on: { click: onSettings } }, icon("settings")),
      this.traffic,
    );
  }

  render(phone, number) {
    this.title.textContent = number?.verified_name ?? "No business";
    this.#line(phone, number);
    const stopped = phone?.marketing === false;
    this.offers.title = stopped ? "Resume offers" : "Stop offers";
    this.offers.setAttribute("aria-label", this.offers.title);
    this.offers.replaceChildren(icon(stopped ? "no-offers" : "offers"));
    const several = this.world.numbers.size > 1;
    this.numbers.hidden = !several;
    if (several) {
      this.numbers.replaceChildren(...[...this.world.numbers.values()].map((each) => new Option(each.display, each.id, false, each.id === number.id)));
    }
    const left = (phone?.windows[number?.id] ?? 0) - this.world.now();
    this.window.className = left > 0 ? "window open" : "window";
    this.window.textContent = left > 0 ? `Window ${span(left)}` : "Window closed";
    this.window.title =
      left > 0
        ? `The service window is open: for another ${span(left)} the business may send any message.`
        : "The service window is closed: until this phone writes, the business may only send templates.";
  }

  /** The business is typing until then (emulated seconds); 0 ends it. */
  typing(until, phone, number) {
    clearTimeout(this.#timer);
    this.#until = until;
    const left = until - this.world.now();
    if (left > 0) this.#timer = setTimeout(() => this.#line(phone, number), left * 1000);
    this.#line(phone, number);
  }

  #line(phone, number) {
    const typing = this.#until > this.world.now();
    const parts = [number?.display, phone && `you are ${phone.name}`, phone && !phone.auto_deliver && "switched off"];
    this.line.textContent = typing ? "typing…" : kept(parts).join(" · ");
    this.line.classList.toggle("is-typing", typing);
  }
}
