/** Locations, contacts, orders and notices. */

import { el } from "../element.js";
import { drawing, icon } from "../icons.js";

export function location(message) {
  const { latitude, longitude, name, address } = message.location;
  const [north, east] = [Number(latitude), Number(longitude)];
  if (!Number.isFinite(north) || !Number.isFinite(east)) throw new TypeError("no coordinates");
  const coordinates = `${Math.abs(north).toFixed(5)}° ${north < 0 ? "S" : "N"}, ${Math.abs(east).toFixed(5)}° ${east < 0 ? "W" : "E"}`;
  return el(
    "div",
    { class: "card place", role: "group", "aria-label": `Location${name ? ` ${name}` : ""}` },
    el("div", { class: "map" }, streets(north, east), el("span", { class: "map-pin" }, icon("pin"))),
    el(
      "div",
      { class: "card-lines" },
      name && el("strong", { dir: "auto" }, String(name)),
      address && el("span", { dir: "auto" }, String(address)),
      el("small", {}, coordinates),
    ),
  );
}

/** An invented street map, always the same for one place: real maps would be external assets. */
function streets(north, east) {
  const turn = (step) => Math.sin(north * 37.1 + east * 17.3 + step * 2.4);
  const paths = [];
  for (let street = 0; street < 7; street += 1) {
    const across = 12 + street * 19 + turn(street) * 7;
    paths.push(`M0 ${across}Q70 ${across + turn(street + 9) * 26} 240 ${across + turn(street + 3) * 34}`);
    const down = 16 + street * 36 + turn(street + 5) * 12;
    paths.push(`M${down} 0Q${down + turn(street + 1) * 24} 60 ${down + turn(street + 7) * 30} 130`);
  }
  const svg = drawing("0 0 240 120", ...paths);
  svg.setAttribute("preserveAspectRatio", "xMidYMid slice");
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

export function contacts(message) {
  return message.contacts.map((card) => {
    const name = String(card.name.formatted_name ?? card.name.first_name ?? "Contact");
    const lines = [
      card.org?.company && [card.org.title, card.org.company].filter(Boolean).join(", "),
      ...(card.phones ?? []).map((entry) => entry.phone ?? entry.wa_id),
      ...(card.emails ?? []).map((entry) => entry.email),
    ];
    return el(
      "div",
      { class: "card contact", role: "group", "aria-label": `Contact ${name}` },
      el("span", { class: "avatar", "aria-hidden": "true" }, [...name][0] ?? "?"),
      el(
        "div",
        { class: "card-lines" },
        el("strong", { dir: "auto" }, name),
        lines.filter(Boolean).map((line) => el("small", { dir: "auto" }, String(line))),
      ),
    );
  });
}

export function order(message) {
  const items = message.order.product_items ?? [];
  return el(
    "div",
    { class: "card order" },
    el("div", { class: "card-head" }, icon("shop"), el("strong", {}, "Order")),
    el(
      "ul",
      { class: "lines" },
      items.map((item) =>
        el("li", {}, `${item.quantity} × ${item.product_retailer_id}`, el("small", {}, `${item.item_price} ${item.currency ?? ""}`)),
      ),
    ),
    message.order.text && el("div", { class: "words", dir: "auto" }, String(message.order.text)),
  );
}

/** A system message. */
export function notice(message) {
  return el("p", { class: "faint", dir: "auto" }, String(message.system.body ?? message.system.type));
}
