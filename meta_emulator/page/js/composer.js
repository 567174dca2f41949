/** The composer: text, files with a caption, a location, a contact, a voice note, and the quoted message. */

import { openAttach } from "./attach-dialog.js";
import { ControlError } from "./controls.js";
import { button, el } from "./element.js";
import { icon } from "./icons.js";
import { remember, remembered } from "./place.js";
import { Recorder, RecordingError } from "./recorder.js";
import { summary } from "./summary.js";
import { length } from "./times.js";
import { toast } from "./toast.js";

const LARGEST_FILE = 100 * 1024 * 1024;

export class Composer {
  #waId = "";
  #numberId = "";
  #reply = null;
  #files = [];
  #recorder = null;
  #started = 0;
  #clock = null;

  /**
   * `onMessage(message, replyTo)`, `onFiles(files, caption, replyTo)`, `onVoice(file, replyTo)` send; `onFiles` takes
   * each file out of `files` once it is sent. `onJson()` opens the dialog.
   */
  constructor({ names, onMessage, onFiles, onVoice, onJson }) {
    Object.assign(this, { names, onMessage, onFiles, onVoice });
    this.box = el("textarea", {
      id: "message-box",
      rows: "1",
      dir: "auto",
      "aria-label": "Message",
      placeholder: "Write a message",
      autocomplete: "off",
      on: { input: () => this.#changed(), keydown: (event) => this.#key(event), paste: (event) => this.#pasted(event) },
    });
    this.file = el("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files", on: { change: () => this.#picked() } });
    this.quote = el("div", { class: "replying", hidden: true });
    this.tray = el("ul", { class: "tray", hidden: true, "aria-label": "Files to send" });
    this.send = button({ class: "round primary", "aria-label": "Send", title: "Send", on: { click: () => this.submit() } }, icon("send"));
    this.microphone = button({ class: "round primary", "aria-label": "Record a voice note", title: "Record a voice note", on: { click: () => this.#record() } }, icon("microphone"));
    this.row = el(
      "div",
      { class: "row" },
      button({ class: "round", "aria-label": "Attach", title: "Attach", "aria-haspopup": "dialog", on: { click: () => this.#attach() } }, icon("attach")),
      button({ class: "round", "aria-label": "Send any message as JSON", title: "Any message as JSON", on: { click: onJson } }, icon("code")),
      this.box,
      this.microphone,
      this.send,
    );
    this.level = el("span", { class: "level", "aria-hidden": "true" }, el("i"));
    this.length = el("span", { class: "length", role: "timer" }, "0:00");
    this.recording = el(
      "div",
      { class: "row recording", hidden: true, role: "group", "aria-label": "Recording", on: { keydown: (event) => this.#recordingKey(event) } },
      button({ class: "round", "aria-label": "Discard the recording", title: "Discard", on: { click: () => this.#discard() } }, icon("trash")),
      el("span", { class: "dot", "aria-hidden": "true" }),
      el("span", { class: "spoken", role: "status" }, "Recording"),
      this.length,
      this.level,
      button({ class: "round primary", "aria-label": "Send the voice note", title: "Send", on: { click: () => this.#sendVoice() } }, icon("send")),
    );
    this.element = el("div", { class: "composer", role: "group", "aria-label": "Write" }, this.quote, this.tray, this.row, this.recording, this.file);
    this.#changed();
  }

  /** Show the draft of this phone. A message to another number answers nothing of this one. */
  open(waId, numberId) {
    if (numberId !== this.#numberId) this.reply(null);
    this.#numberId = numberId;
    if (waId === this.#waId) return;
    this.#discard();
    this.#waId = waId;
    this.#files = [];
    this.box.value = remembered(`draft.${waId}`) ?? "";
    this.reply(null);
    this.#showFiles();
  }

  focus() {
    this.box.focus();
  }

  /** Answer this message; null for none. */
  reply(message) {
    this.#reply = message;
    this.quote.hidden = !message;
    this.quote.replaceChildren();
    if (!message) return;
    this.quote.append(
      el("span", { class: "quote" }, el("strong", {}, `Reply to ${this.names(message)}`), el("span", { dir: "auto" }, summary(message))),
      button({ class: "plain", "aria-label": "Cancel the reply", on: { click: () => this.#unreply() } }, icon("close")),
    );
    this.focus();
  }

  /** Put files into the tray. */
  attach(files) {
    for (const file of files) {
      if (file.size > LARGEST_FILE) toast(`${file.name} is larger than 100 MB.`);
      else if (file.size === 0) toast(`${file.name} is empty.`);
      else this.#files.push(file);
    }
    this.#showFiles();
    this.focus();
  }

  /** Send text and files; after a failure restore what was not sent, with its quote. */
  async submit() {
    const text = this.box.value.trim();
    const [waId, files, replyTo] = [this.#waId, [...this.#files], this.#reply];
    const count = files.length;
    if (!text && count === 0) return;
    this.box.value = "";
    this.#files = [];
    this.reply(null);
    this.#showFiles();
    try {
      if (count > 0) await this.onFiles(files, text, replyTo);
      else await this.onMessage({ type: "text", text: { body: text } }, replyTo);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      toast(`Not sent. ${error.message}`);
      // The first file took caption and quote along.
      if (files.length === count) this.#restore(waId, text, replyTo);
      if (waId !== this.#waId) return;
      this.#files = [...files, ...this.#files];
      this.#showFiles();
    }
  }

  /** Put an unsent text and its quote back, unless others took their place; of another phone only its draft. */
  #restore(waId, text, replyTo) {
    if (waId !== this.#waId) {
      if (!remembered(`draft.${waId}`)) remember(`draft.${waId}`, text);
      return;
    }
    this.box.value ||= text;
    if (replyTo && !this.#reply) this.reply(replyTo);
    this.#changed();
  }

  #unreply() {
    this.reply(null);
    this.focus();
  }

  #changed() {
    const ready = this.box.value.trim() !== "" || this.#files.length > 0;
    this.send.hidden = !ready;
    this.microphone.hidden = ready;
    if (this.#waId) remember(`draft.${this.#waId}`, this.box.value);
  }

  #key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && (this.#reply || this.#files.length > 0)) {
      event.preventDefault();
      this.#unreply();
      this.#files = [];
      this.#showFiles();
    }
  }

  #attach() {
    openAttach({
      onFiles: () => this.file.click(),
      send: async (message) => {
        await this.onMessage(message, this.#reply);
        this.reply(null);
      },
    });
  }

  #picked() {
    this.attach([...this.file.files]);
    this.file.value = "";
  }

  #pasted(event) {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    this.attach(files);
  }

  #showFiles() {
    for (const image of this.tray.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    this.tray.hidden = this.#files.length === 0;
    this.tray.replaceChildren(
      ...this.#files.map((file, position) =>
        el(
          "li",
          {},
          file.type.startsWith("image/") ? el("img", { src: URL.createObjectURL(file), alt: "" }) : icon("document"),
          el("span", { dir: "auto" }, file.name),
          button({ class: "plain", "aria-label": `Remove ${file.name}`, on: { click: () => this.#removeFile(position) } }, icon("close")),
        ),
      ),
    );
    this.box.placeholder = this.#files.length > 0 ? "Add a caption" : "Write a message";
    this.#changed();
  }

  #removeFile(position) {
    this.#files = this.#files.filter((_, at) => at !== position);
    this.#showFiles();
    this.focus();
  }

  async #record() {
    if (this.#recorder) return;
    const recorder = new Recorder();
    this.#recorder = recorder;
    try {
      await recorder.start((level) => this.level.style.setProperty("--level", level.toFixed(2)));
    } catch (error) {
      if (this.#recorder === recorder) this.#recorder = null;
      if (!(error instanceof RecordingError)) throw error;
      toast(error.message);
      return;
    }
    // Another phone was opened while the browser asked for the microphone.
    if (this.#recorder !== recorder) return recorder.cancel();
    this.#started = performance.now();
    this.#clock = setInterval(() => (this.length.textContent = length((performance.now() - this.#started) / 1000)), 200);
    this.#showRecording(true);
    this.recording.querySelector(".primary").focus();
  }

  #recordingKey(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.#discard();
  }

  #discard() {
    if (!this.#recorder) return;
    this.#recorder.cancel();
    this.#recorder = null;
    this.#showRecording(false);
    this.focus();
  }

  async #sendVoice() {
    const recorder = this.#recorder;
    if (!recorder) return;
    this.#recorder = null;
    const file = await recorder.stop();
    this.#showRecording(false);
    this.focus();
    const replyTo = this.#reply;
    this.reply(null);
    try {
      await this.onVoice(file, replyTo);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      toast(`Not sent. ${error.message}`);
    }
  }

  #showRecording(on) {
    clearInterval(on ? undefined : this.#clock);
    this.length.textContent = "0:00";
    this.row.hidden = on;
    this.recording.hidden = !on;
  }
}
