/** Connects the world, the event stream and the views. */

import { actsWith } from "./acts.js";
import { ChatHeader } from "./chat-header.js";
import { Composer } from "./composer.js";
import { Controls, ControlError } from "./controls.js";
import { Conversation } from "./conversation.js";
import { openAddPhone, openSettings } from "./dialogs.js";
import { el } from "./element.js";
import { emptyConversation, trouble } from "./empty.js";
import { openJson } from "./json-dialog.js";
import { Live } from "./live.js";
import { nextPhone } from "./next-phone.js";
import { PhoneList } from "./phone-list.js";
import { goTo, place, remember, remembered } from "./place.js";
import { themeButton } from "./theme.js";
import { toast } from "./toast.js";
import { Traffic } from "./traffic.js";
import { World } from "./world.js";

class Page {
  waId = "";
  numberId = "";
  connected = true;
  handshakeError = "";
  #opening = 0;
  #narrow = matchMedia("(max-width: 760px)");

  constructor() {
    this.app = document.querySelector("#app");
    this.controls = new Controls();
    this.world = new World();
    const names = (message) => (message.direction === "out" ? "You" : (this.world.numbers.get(message.number_id)?.verified_name ?? "The business"));
    this.list = new PhoneList({
      world: this.world,
      themeButton: themeButton(),
      onOpen: (waId) => this.#guarded(this.enter(waId)),
      onAdd: () => this.#guarded(this.addPhone(nextPhone(this.world.phones.values()))),
      onAddOwn: () => openAddPhone((traits) => this.addPhone(traits)),
    });
    this.header = new ChatHeader({
      world: this.world,
      onBack: () => this.view("phones"),
      onNumber: (numberId) => this.#guarded(this.enter(this.waId, numberId)),
      onOffers: () => this.phone && this.#guarded(this.controls.preferOffers(this.waId, this.numberId, !this.phone.marketing)),
      onSettings: () => this.phone && openSettings(this.phone, (traits) => this.controls.changePhone(this.waId, traits)),
      onTraffic: () => (this.traffic.isOpen ? this.closeTraffic() : this.openTraffic(null)),
    });
    this.composer = new Composer({
      names,
      onMessage: (message, replyTo) => this.write(message, replyTo),
      onFiles: (files, caption, replyTo) => this.sendFiles(files, caption, replyTo),
      onVoice: (file, replyTo) => this.controls.sendFile(this.waId, this.numberId, file, { type: "audio", voice: true, context: replyTo?.id }),
      onJson: () => openJson(null, (message) => this.write(message)),
    });
    this.conversation = new Conversation({
      names,
      quoted: (id) => this.world.message(this.waId, id),
      acts: actsWith(this.controls, {
        show: (id) => this.conversation.show(id),
        reply: (message) => this.composer.reply(message),
        inspect: (message) => this.openTraffic(message, true),
        answered: () => this.#narrow.matches || this.composer.focus(),
      }),
      empty: () => emptyConversation(this.number?.verified_name ?? "the business", () => this.sayHello()),
    });
    this.traffic = new Traffic({
      controls: this.controls,
      world: this.world,
      element: document.querySelector("#traffic"),
      onClose: () => this.closeTraffic(),
      onAll: () => this.openTraffic(null, true),
    });
    this.trouble = el("div", { class: "trouble", role: "status" });
    this.#assemble();
    this.live = new Live({ load: () => this.load(), apply: (events) => this.apply(events), connected: (on) => this.#connection(on) });
  }

  get phone() {
    return this.world.phones.get(this.waId);
  }

  get number() {
    return this.world.numbers.get(this.numberId);
  }

  start() {
    this.live.start();
  }

  /** Reload everything; return the cursor at which the events continue. */
  async load() {
    const answer = await this.controls.conversations();
    this.world.take(answer);
    const wanted = place();
    const first = this.world.listed()[0]?.wa_id ?? "";
    await this.#open(wanted.waId || first, wanted.numberId).catch((error) => {
      if (!(error instanceof ControlError)) throw error;
      return this.#open(first, "");
    });
    if (remembered("traffic") !== null) await this.openTraffic(this.world.message(this.waId, remembered("traffic")) ?? null);
    this.#troubles();
    return answer.cursor;
  }

  /** Apply a batch of events. */
  apply(events) {
    let listed = false;
    for (const { id, kind, data } of events) {
      if (kind === "message") listed = this.#message(data, id) || listed;
      else if (kind === "phone") {
        this.world.putPhone(data);
        listed = true;
      } else if (kind === "clock") {
        this.world.setClock(data);
        listed = true;
      } else if (kind === "typing") this.#typing(data);
      else if (kind === "exchange") this.traffic.put(data);
      else if (kind === "handshake") this.#handshake(data);
    }
    if (!listed) return;
    this.#markRead();
    this.list.render(this.waId);
    this.header.render(this.phone, this.number);
    this.#title();
  }

  /** Open a phone's conversation, with the focus in the message box. */
  async enter(waId, numberId = "") {
    await this.#open(waId, numberId);
    this.view("chat");
    if (this.#narrow.matches) this.header.title.focus();
    else this.composer.focus();
  }

  view(name) {
    this.app.dataset.view = name;
    if (name === "phones") this.list.list.querySelector("[aria-current]")?.focus();
  }

  async addPhone(traits) {
    const phone = await this.controls.addPhone(traits);
    this.world.putPhone(phone);
    await this.enter(phone.wa_id);
  }

  write(message, replyTo = null) {
    const context = replyTo ? { context: { id: replyTo.id } } : {};
    return this.controls.write(this.waId, this.numberId, { ...message, ...context });
  }

  /** One message per file, which is taken out of `files`; the first carries the caption and the quote. */
  async sendFiles(files, caption, replyTo) {
    const [waId, numberId] = [this.waId, this.numberId];
    for (let more = { caption, context: replyTo?.id }; files.length > 0; more = {}) {
      await this.controls.sendFile(waId, numberId, files[0], more);
      files.shift();
    }
  }

  sayHello() {
    this.composer.focus();
    return this.#guarded(this.write({ type: "text", text: { body: "hello" } }));
  }

  /** Open the drawer for a message, or for all calls. */
  async openTraffic(message, focus = false) {
    remember("traffic", message?.id ?? "all");
    this.app.classList.add("with-traffic");
    this.header.traffic.setAttribute("aria-expanded", "true");
    this.conversation.choose(message?.id);
    await this.traffic.open(message);
    if (focus) this.traffic.focus();
  }

  closeTraffic() {
    const about = this.traffic.messageId;
    const focused = this.traffic.element.contains(document.activeElement);
    remember("traffic", null);
    this.app.classList.remove("with-traffic");
    this.header.traffic.setAttribute("aria-expanded", "false");
    this.traffic.close();
    this.conversation.choose(null);
    if (focused && !(about && this.conversation.show(about))) this.header.traffic.focus();
  }

  #assemble() {
    document.querySelector("#phones").append(...this.list.elements);
    const chat = document.querySelector("#chat");
    chat.append(this.header.element, this.trouble, this.conversation.element, this.composer.element);
    chat.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      chat.classList.add("dropping");
    });
    for (const end of ["dragleave", "drop"]) chat.addEventListener(end, () => chat.classList.remove("dropping"));
    chat.addEventListener("drop", (event) => {
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      this.composer.attach([...event.dataTransfer.files]);
    });
    document.addEventListener("visibilitychange", () => this.#markRead());
    document.addEventListener("keydown", (event) => this.#key(event));
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault();
      this.composer.focus();
    });
    window.addEventListener("hashchange", (event) => {
      // The hash of the event: a phone opened since then has changed the address.
      const { waId, numberId } = place(new URL(event.newURL).hash);
      if (waId !== this.waId || (numberId && numberId !== this.numberId)) this.#guarded(this.enter(waId, numberId));
    });
  }

  /** Typing focuses the message box; an unhandled Escape closes the drawer. */
  #key(event) {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open], [popover]")) return;
    if (event.key === "Escape" && this.traffic.isOpen) this.closeTraffic();
    const types = [...event.key].length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (types && !event.target.closest("input, textarea, select")) this.composer.focus();
  }

  async #open(waId, wantedNumber) {
    const epoch = ++this.#opening;
    const answer = waId ? await this.controls.messages(waId) : null;
    if (epoch !== this.#opening) return;
    if (answer) this.world.open(answer);
    this.waId = waId;
    this.numberId = this.world.numbers.has(wantedNumber) ? wantedNumber : (this.world.numbers.keys().next().value ?? "");
    if (waId) goTo(waId, this.world.numbers.size > 1 ? this.numberId : "");
    this.conversation.open(`${waId}/${this.numberId}`, this.world.shown(waId, this.numberId));
    if (this.traffic.messageId) this.conversation.choose(this.traffic.messageId);
    this.composer.open(waId, this.numberId);
    this.#markRead();
    this.header.typing(0, this.phone, this.number);
    this.header.render(this.phone, this.number);
    this.list.render(waId);
    this.#title();
  }

  /** The open phone, and the number of unread messages on the others. */
  #title() {
    const unread = this.world.unreadBeside(this.waId);
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${this.phone?.name ?? "Phone"} · emulator`;
  }

  #message(message, eventId) {
    if (!this.world.putMessage(message, eventId)) return false;
    if (message.wa_id === this.waId && message.number_id === this.numberId) {
      const isNew = this.world.isShown(message) && this.conversation.put(message);
      if (isNew && message.direction === "in") this.header.typing(0, this.phone, this.number);
    }
    return true;
  }

  /** Mark visible messages as read. */
  #markRead() {
    if (document.visibilityState !== "visible" || !this.phone?.auto_deliver) return;
    if (this.#narrow.matches && this.app.dataset.view !== "chat") return;
    const ids = this.world.takeUnread(this.waId, this.numberId);
    if (ids.length > 0) this.#guarded(this.controls.read(this.waId, ids));
  }

  #typing({ wa_id: waId, number_id: numberId, until }) {
    if (waId !== this.waId || numberId !== this.numberId) return;
    this.header.typing(until, this.phone, this.number);
    this.conversation.setTyping(true);
    clearTimeout(this.typingTimer);
    this.typingTimer = setTimeout(() => this.conversation.setTyping(false), Math.max(0, until - this.world.now()) * 1000);
  }

  #handshake({ ok, url, error }) {
    if (ok) this.world.callbackUrl = url;
    this.handshakeError = ok ? "" : error;
    this.#troubles();
  }

  #connection(on) {
    this.connected = on;
    this.#troubles();
  }

  #troubles() {
    const note = trouble({ connected: this.connected, callbackUrl: this.world.callbackUrl, handshakeError: this.handshakeError });
    if (this.trouble.textContent === (note?.textContent ?? "")) return;
    this.trouble.replaceChildren(...(note ? [note] : []));
  }

  #guarded(promise) {
    return promise.catch((error) => {
      if (!(error instanceof ControlError)) throw error;
      toast(error.message);
    });
  }
}

new Page().start();
