/** The drawer: the raw calls of one message, or the latest of all; each can be copied as curl. */

import { button, el } from "./element.js";
import { icon } from "./icons.js";
import { jsonView } from "./json-view.js";
import { summary } from "./summary.js";
import { clockWithSeconds } from "./times.js";
import { copy, toast } from "./toast.js";

const SHOWN = 100;
const KINDS = { graph: "Graph", webhook: "Webhook", handshake: "Handshake" };

export class Traffic {
  #message = null;
  #entries = new Map();
  #epoch = 0;
  #whileLoading = null;

  constructor({ controls, world, element, onClose, onAll }) {
    this.controls = controls;
    this.world = world;
    this.element = element;
    this.subject = el("p", { class: "subject", dir: "auto" });
    this.all = button({ class: "plain wide", hidden: true, on: { click: onAll } }, "Show all traffic");
    this.list = el("ol", { class: "exchanges", "aria-label": "Calls" });
    this.heading = el("h2", { tabindex: "-1" }, "Traffic");
    element.append(
      el("header", {}, this.heading, button({ class: "plain", "aria-label": "Close the drawer", on: { click: onClose } }, icon("close"))),
      el("div", { class: "about" }, this.subject, this.all),
      this.list,
    );
  }

  get isOpen() {
    return !this.element.hidden;
  }

  get messageId() {
    return this.#message?.id ?? null;
  }

  /** Show the calls about a message; null for all. */
  async open(message) {
    const epoch = ++this.#epoch;
    this.#message = message;
    this.element.hidden = false;
    this.subject.textContent = message ? `About “${summary(message)}”` : "The latest calls of all phones. For one message, press its Traffic button.";
    this.all.hidden = !message;
    this.#whileLoading = [];
    const { exchanges } = await this.controls.exchanges(message?.id).catch((error) => {
      toast(error.message);
      return { exchanges: [] };
    });
    if (epoch !== this.#epoch) return;
    this.#entries.clear();
    this.list.replaceChildren();
    // Events that arrived during the request may be missing from its response.
    for (const exchange of [...exchanges.slice(-SHOWN), ...this.#whileLoading]) this.#add(exchange);
    this.#whileLoading = null;
    this.#renderEmpty();
    this.list.scrollTop = message ? 0 : this.list.scrollHeight;
  }

  close() {
    this.#epoch += 1;
    this.element.hidden = true;
  }

  /** Add or update a call. */
  put(exchange) {
    if (!this.isOpen || (this.#message && !exchange.message_ids.includes(this.#message.id))) return;
    this.#whileLoading?.push(exchange);
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
    this.#add(exchange);
    while (this.#entries.size > SHOWN) {
      const [oldest, element] = this.#entries.entries().next().value;
      element.remove();
      this.#entries.delete(oldest);
    }
    this.#renderEmpty();
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  focus() {
    this.heading.focus();
  }

  #add(exchange) {
    const known = this.#entries.get(exchange.id);
    const element = el("li", {}, this.#entry(exchange));
    this.#entries.set(exchange.id, element);
    if (known) known.replaceWith(element);
    else this.list.append(element);
  }

  #renderEmpty() {
    this.list.querySelector(".empty")?.remove();
    if (this.#entries.size > 0) return;
    const note = this.#message ? "No calls are stored for this message." : "No calls yet. Write a message: its webhook appears here.";
    this.list.append(el("li", { class: "empty faint" }, note));
  }

  #entry(exchange) {
    const body = el("div", { class: "exchange-body" });
    const details = el(
      "details",
      { class: "exchange" },
      el(
        "summary",
        {},
        el("span", { class: `kind ${exchange.kind}` }, KINDS[exchange.kind] ?? exchange.kind),
        el("span", { class: "target" }, `${exchange.method} ${pathOf(exchange.url)}`),
        outcome(exchange),
        el("small", { dir: "auto" }, [this.#subject(exchange), clockWithSeconds(exchange.at), !exchange.under_way && `${Math.round(exchange.milliseconds)} ms`, exchange.note].filter(Boolean).join(" · ")),
      ),
      body,
    );
    details.addEventListener("toggle", () => details.open && body.childElementCount === 0 && this.#fill(exchange.id, body));
    return details;
  }

  /** The message or status and its customer: "status read · Ana". */
  #subject({ subject }) {
    if (!subject?.what) return "";
    const name = this.world.phones.get(subject.wa_id)?.name ?? (subject.wa_id && `+${subject.wa_id}`);
    return name ? `${subject.what} · ${name}` : subject.what;
  }

  async #fill(id, body) {
    let call;
    try {
      call = await this.controls.exchange(id);
    } catch (error) {
      body.append(el("p", { class: "faint" }, error.message));
      return;
    }
    body.append(
      el("p", { class: "url" }, call.url),
      button({ class: "plain wide", on: { click: () => copy(call.curl, "Copied as curl.") } }, icon("copy"), "Copy as curl"),
      ...part("Request", call.request_body),
      ...part("Response", call.response_body),
      el("details", {}, el("summary", {}, "Request headers"), jsonView(call.request_headers, "Request headers")),
    );
    body.closest("li").scrollIntoView({ block: "nearest" });
  }
}

function outcome({ status, under_way: underWay }) {
  if (underWay) return el("span", { class: "status" }, "in progress");
  return el("span", { class: status >= 200 && status < 300 ? "status good" : "status bad" }, status ? String(status) : "no answer");
}

function part(name, text) {
  return [el("h3", {}, name), text ? jsonView(text, `${name} body`) : el("p", { class: "faint" }, "empty")];
}

function pathOf(url) {
  try {
    return decodeURIComponent(new URL(url, location.href).pathname);
  } catch {
    return url;
  }
}
