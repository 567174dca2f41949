/** Sheets and dialogs: `<dialog>` traps the focus, closes on Escape and restores the focus. */

import { arrowKeys } from "./arrows.js";
import { ControlError } from "./controls.js";
import { button, el, kept } from "./element.js";
import { icon } from "./icons.js";
import { toast } from "./toast.js";

/** Open a dialog with a title; resolves when it is closed. `fill(close)` returns its content. */
export function openDialog(title, className, fill) {
  const heading = el("h2", { id: `dialog-${crypto.getRandomValues(new Uint32Array(1))[0]}` }, title);
  const dialog = el("dialog", { class: className, "aria-labelledby": heading.id });
  const close = () => dialog.close();
  dialog.append(
    el("header", {}, heading, button({ class: "plain", "aria-label": "Close", on: { click: close } }, icon("close"))),
    ...kept([fill(close)]),
  );
  // Who drags a selection out of a field has not clicked beside the dialog.
  let beganBeside = false;
  dialog.addEventListener("pointerdown", (event) => (beganBeside = event.target === dialog));
  dialog.addEventListener("click", (event) => event.target === dialog && beganBeside && close());
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("form textarea, form input, .list-row")?.focus();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    }),
  );
}

/** The rows of a list message (reference 2.5); `onPick(row)`. */
export function openList({ interactive }, onPick) {
  const { button: title, sections } = interactive.action;
  return openDialog(title, "sheet", (close) => {
    const sheet = el("div", { class: "rows" });
    arrowKeys(sheet, ".list-row");
    sheet.append(
      ...sections.map((section) => {
        const rows = section.rows.map((row) => el("li", {}, listRow(row, () => {
          close();
          onPick(row);
        })));
        return el("section", { "aria-label": section.title ?? title }, section.title && el("h3", { dir: "auto" }, section.title), el("ul", {}, rows));
      }),
    );
    return sheet;
  });
}

function listRow({ title, description }, onClick) {
  return button({ class: "list-row", on: { click: onClick } }, el("strong", { dir: "auto" }, title), description && el("span", { dir: "auto" }, description));
}

/** A photo in full size. */
export function openPhoto(source, alt) {
  return openDialog("Photo", "photo", () => el("img", { src: source, alt }));
}

/** A form, submitted with `send(values)`; on a ControlError it stays open and shows the reason. */
export function openForm(title, className, fields, submitText, send) {
  const reason = el("p", { class: "form-error", role: "alert" });
  return openDialog(title, className, (close) => {
    let sending = false;
    const submit = async (event) => {
      event.preventDefault();
      if (sending) return;
      sending = true;
      reason.textContent = "";
      try {
        await send(new FormData(event.target));
        close();
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        reason.textContent = error.message;
      } finally {
        sending = false;
      }
    };
    return el("form", { on: { submit } }, fields, reason, el("button", { class: "primary" }, submitText));
  });
}

/** A phone number in any common format. */
export const NUMBER = /^[\s+.()-]*(?:\d[\s.()-]*){5,15}$/;

/** Add a phone with a chosen number. */
export function openAddPhone(add) {
  const fields = [
    el("label", {}, "Number, with country code", el("input", { name: "wa_id", inputmode: "tel", required: true, autocomplete: "off" })),
    el("label", {}, "Name", el("input", { name: "name", maxlength: "60", dir: "auto", autocomplete: "off" })),
  ];
  return openForm("Add a phone", "small", fields, "Add", (values) => {
    if (!NUMBER.test(values.get("wa_id"))) throw new ControlError("A number has 5 to 15 digits, such as +44 7700 900123.");
    return add({ wa_id: values.get("wa_id"), ...(values.get("name") ? { name: values.get("name") } : {}) });
  });
}

const TRAITS = [
  ["auto_deliver", "Switched on", "Off: messages wait until it is switched on."],
  ["auto_read", "Reads immediately", "Even while no page shows the phone."],
  ["read_receipts", "Read receipts", "Off: the business gets no status read."],
  ["on_whatsapp", "Has an account", "Off: sends fail with 131026."],
  ["marketing", "Accepts marketing", "Off: marketing templates fail with 131050; the business gets no webhook."],
  ["number_hidden", "Number hidden", "On: the business sees a user id instead."],
];

/** Settings of a phone. `change(traits)` saves them. */
export function openSettings(phone, change) {
  const switches = TRAITS.map(([trait, name, hint]) => {
    const id = `trait-${trait}`;
    const box = el("input", { type: "checkbox", role: "switch", id, "aria-describedby": `${id}-hint` });
    box.checked = phone[trait];
    box.addEventListener("change", () =>
      change({ [trait]: box.checked }).catch((error) => {
        box.checked = !box.checked;
        toast(error.message);
      }),
    );
    return el("div", { class: "switch" }, el("label", { for: id }, name), box, el("small", { id: `${id}-hint` }, hint));
  });
  const name = el("input", { name: "name", value: phone.name, maxlength: "60", required: true, dir: "auto", autocomplete: "off" });
  return openForm(
    `Phone of ${phone.name}`,
    "small",
    [el("p", { class: "faint" }, `+${phone.wa_id} · ${phone.user_id}`), el("label", {}, "Name", name), switches],
    "Done",
    (values) => change({ name: values.get("name") }),
  );
}
