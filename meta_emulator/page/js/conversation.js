/** The message log: days, groups, typing indicator, earlier messages, and keyboard navigation. */

import { bubble } from "./bubble.js";
import { button, el } from "./element.js";
import { icon } from "./icons.js";
import { day, dayKey } from "./times.js";

const PAGE = 150;
const GROUP_SECONDS = 120;
const NEAR_THE_END = 80;

export class Conversation {
  #key = "";
  #bubbles = new Map();
  #days = new Set();
  #shown = new Map();
  #from = 0;
  #missed = 0;
  #last = null;
  #pinned = true;
  #top = 0;
  #earlier;
  #newer;

  /** `names`, `quoted`, `acts`: what a bubble needs; `empty(): node` is shown without messages. */
  constructor({ names, quoted, acts, empty }) {
    this.parts = { names, quoted, acts };
    this.empty = empty;
    this.log = el("div", { id: "messages", role: "log", "aria-live": "off", "aria-label": "Messages", on: { keydown: (event) => this.#move(event), focusin: (event) => this.#rove(event) } });
    this.typing = el("div", { class: "typing", hidden: true, "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    this.#earlier = button({ class: "earlier", hidden: true, on: { click: () => this.#showEarlier() } }, "Show earlier messages");
    this.#newer = button({ class: "newer", hidden: true, on: { click: () => this.toEnd() } }, icon("down"), el("span", {}));
    this.scroller = el("div", { class: "scroller", on: { scroll: () => this.#scrolled() } }, this.#earlier, this.log, this.typing);
    this.element = el("div", { class: "conversation" }, this.scroller, this.#newer);
    // Images get their height late: stay at the end if the view was there.
    const resized = new ResizeObserver(() => this.#pinned && this.toEnd());
    resized.observe(this.scroller);
    resized.observe(this.log);
  }

  /** Show a conversation; screen readers announce nothing of it. One that is shown already keeps its place. */
  open(key, messages) {
    const goesOn = key === this.#key && this.#shown.size > 0 && this.#isIn(messages);
    this.#key = key;
    if (goesOn) {
      for (const message of messages) this.put(message);
      this.setTyping(false);
      return;
    }
    this.log.setAttribute("aria-live", "off");
    const focused = document.activeElement?.closest("#messages .message")?.dataset.id;
    this.#bubbles.clear();
    this.#days.clear();
    this.#shown = new Map(messages.map((message) => [message.id, message]));
    this.#from = Math.max(0, messages.length - PAGE);
    this.#last = null;
    this.log.replaceChildren();
    for (const message of messages.slice(this.#from)) this.#append(message);
    this.#earlier.hidden = this.#from === 0;
    this.#renderEmpty();
    this.setTyping(false);
    this.toEnd();
    this.#bubbles.get(focused)?.focus({ preventScroll: true });
    // Announce only new messages.
    requestAnimationFrame(() => requestAnimationFrame(() => this.log.setAttribute("aria-live", "polite")));
  }

  /** Add or update a message; return whether it is new. */
  put(message) {
    const isNew = !this.#shown.has(message.id);
    this.#shown.set(message.id, message);
    this.#bubbles.get(message.id)?.update(message);
    if (!isNew) return false;
    this.#append(message);
    this.#renderEmpty();
    if (message.direction === "in") this.setTyping(false);
    if (this.#pinned || message.direction === "out") this.toEnd();
    else this.#miss();
    return true;
  }

  setTyping(on) {
    this.typing.hidden = !on;
    if (on && this.#pinned) this.toEnd();
  }

  /** Scroll to a message and focus it; return false if it is unknown. */
  show(id) {
    while (!this.#bubbles.has(id) && this.#from > 0) this.#showEarlier();
    const found = this.#bubbles.get(id);
    if (!found) return false;
    found.scrollIntoView({ block: "center" });
    found.focus({ preventScroll: true });
    found.classList.remove("flash");
    requestAnimationFrame(() => found.classList.add("flash"));
    return true;
  }

  /** Mark the message whose calls the drawer shows. */
  choose(id) {
    for (const [known, element] of this.#bubbles) element.classList.toggle("chosen", known === id);
  }

  toEnd() {
    this.#pinned = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#top = this.scroller.scrollTop;
    this.#missed = 0;
    this.#newer.hidden = true;
  }

  /** Whether these messages include all that are shown; after a reset they do not. */
  #isIn(messages) {
    const ids = new Set(messages.map((message) => message.id));
    return [...this.#shown.keys()].every((id) => ids.has(id));
  }

  #append(message) {
    this.#day(message);
    const element = bubble(message, this.parts);
    const follows = this.#last && this.#last.direction === message.direction && message.timestamp - this.#last.timestamp < GROUP_SECONDS;
    element.classList.toggle("follows", Boolean(follows));
    this.#last = message;
    this.#bubbles.set(message.id, element);
    this.log.append(element);
    for (const other of this.log.querySelectorAll(".message[tabindex='0']")) other.tabIndex = -1;
    element.tabIndex = 0;
  }

  #day(message) {
    const key = dayKey(message.timestamp);
    if (this.#days.has(key)) return;
    this.#days.add(key);
    this.#last = null;
    this.log.append(el("div", { class: "day", role: "separator" }, el("span", {}, day(message.timestamp))));
  }

  #renderEmpty() {
    this.log.querySelector(".empty")?.remove();
    if (this.#shown.size === 0) this.log.append(this.empty());
  }

  #showEarlier() {
    const height = this.scroller.scrollHeight;
    const start = Math.max(0, this.#from - PAGE);
    const messages = [...this.#shown.values()].slice(start);
    this.#from = start;
    this.#bubbles.clear();
    this.#days.clear();
    this.#last = null;
    this.log.setAttribute("aria-live", "off");
    this.log.replaceChildren();
    for (const message of messages) this.#append(message);
    this.#earlier.hidden = start === 0;
    this.scroller.scrollTop += this.scroller.scrollHeight - height;
    requestAnimationFrame(() => this.log.setAttribute("aria-live", "polite"));
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
    // A growing image does not scroll up; only the user does.
    this.#pinned = atEnd || (this.#pinned && scrollTop >= this.#top);
    this.#top = scrollTop;
    if (this.#pinned) this.#missed = 0;
    this.#showJumpToEnd();
  }

  #showJumpToEnd() {
    this.#newer.hidden = this.#pinned;
    const count = this.#missed === 0 ? "" : this.#missed === 1 ? "1 new message" : `${this.#missed} new messages`;
    this.#newer.lastChild.textContent = count;
    this.#newer.setAttribute("aria-label", count || "To the newest message");
  }

  #miss() {
    this.#missed += 1;
    this.#showJumpToEnd();
  }

  /** Tab reaches one message; the arrow keys move between messages. */
  #move(event) {
    if (!event.target.classList.contains("message")) {
      if (event.key === "Escape" && event.target.closest(".message")) {
        event.preventDefault();
        event.target.closest(".message").focus();
      }
      return;
    }
    const all = [...this.log.querySelectorAll(".message")];
    const at = all.indexOf(event.target);
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (next === undefined || !all[next]) return;
    event.preventDefault();
    all[next].focus();
  }

  #rove(event) {
    const current = event.target.closest(".message");
    if (!current || current.tabIndex === 0) return;
    for (const other of this.log.querySelectorAll(".message[tabindex='0']")) other.tabIndex = -1;
    current.tabIndex = 0;
  }
}
