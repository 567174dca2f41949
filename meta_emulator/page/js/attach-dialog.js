/** What the paper clip sends: files, a location, or a contact, as Meta passes them on (reference 5.6). */

import { arrowKeys } from "./arrows.js";
import { ControlError } from "./controls.js";
import { NUMBER, openDialog, openForm } from "./dialogs.js";
import { button, el } from "./element.js";
import { icon } from "./icons.js";

/** `onFiles()` opens the file chooser, `send(message)` sends a location or a contact. */
export function openAttach({ onFiles, send }) {
  const choices = [
    ["document", "Files", "Photos, videos, audio, documents", onFiles],
    ["pin", "Location", "A place, with or without a name", () => openLocation(send)],
    ["card", "Contact", "A person's name and number", () => openContact(send)],
  ];
  return openDialog("Attach", "sheet", (close) => {
    const rows = choices.map(([iconName, name, hint, choose]) => {
      const chosen = () => {
        close();
        choose();
      };
      const lines = el("span", { class: "lines" }, el("strong", {}, name), el("span", {}, hint));
      return el("li", {}, button({ class: "list-row with-icon", "aria-label": name, on: { click: chosen } }, icon(iconName), lines));
    });
    const list = el("ul", { class: "rows" }, rows);
    arrowKeys(list, ".list-row");
    return list;
  });
}

/** A location; without a name it is the customer's own position. */
export function openLocation(send) {
  const fields = [
    line("Latitude", { name: "latitude", value: "38.7075", required: true, inputmode: "decimal", dir: "ltr" }),
    line("Longitude", { name: "longitude", value: "-9.1364", required: true, inputmode: "decimal", dir: "ltr" }),
    line("Name of the place", { name: "name", maxlength: "1000", dir: "auto" }),
    line("Address", { name: "address", maxlength: "1000", dir: "auto" }),
  ];
  return openForm("Send a location", "small", fields, "Send", (values) => {
    const place = { latitude: degrees(values, "latitude", 90), longitude: degrees(values, "longitude", 180) };
    return send({ type: "location", location: { ...place, ...given(values, "name"), ...given(values, "address") } });
  });
}

/** A contact; it carries `wa_id` if the number is on WhatsApp. */
export function openContact(send) {
  const onWhatsApp = el("input", { type: "checkbox", role: "switch", id: "contact-on-whatsapp", name: "on_whatsapp", checked: true });
  const fields = [
    line("Name", { name: "name", maxlength: "200", required: true, dir: "auto" }),
    line("Number, with country code", { name: "phone", required: true, inputmode: "tel", dir: "ltr" }),
    line("Company", { name: "company", maxlength: "200", dir: "auto" }),
    el("div", { class: "switch" }, el("label", { for: onWhatsApp.id }, "Has WhatsApp"), onWhatsApp),
  ];
  return openForm("Send a contact", "small", fields, "Send", (values) => {
    const phone = values.get("phone").trim();
    if (!NUMBER.test(phone)) throw new ControlError("A number has 5 to 15 digits, such as +44 7700 900123.");
    const number = { phone, type: "CELL", ...(values.has("on_whatsapp") ? { wa_id: phone.replace(/\D/g, "") } : {}) };
    const company = values.get("company").trim();
    const card = { name: nameOf(values.get("name").trim()), phones: [number], ...(company ? { org: { company } } : {}) };
    return send({ type: "contacts", contacts: [card] });
  });
}

function line(label, attributes) {
  return el("label", {}, label, el("input", { autocomplete: "off", ...attributes }));
}

function degrees(values, name, most) {
  const found = Number(values.get(name).trim().replace(",", ".") || Number.NaN);
  if (!(Math.abs(found) <= most)) throw new ControlError(`The ${name} must be a number from -${most} to ${most}.`);
  return found;
}

function given(values, name) {
  const text = values.get(name).trim();
  return text ? { [name]: text } : {};
}

function nameOf(name) {
  const [first, ...rest] = name.split(/\s+/u);
  return { formatted_name: name, first_name: first, ...(rest.length > 0 ? { last_name: rest.join(" ") } : {}) };
}
