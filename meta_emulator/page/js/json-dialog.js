/** Any message as JSON, for types without a button. */

import { ControlError } from "./controls.js";
import { el } from "./element.js";
import { openForm } from "./dialogs.js";

// Meta's inbound messages without envelope (reference 5.6).
const STARTS = {
  Order: { type: "order", order: { catalog_id: "194836987003835", text: "", product_items: [{ product_retailer_id: "sku-1", quantity: 2, item_price: 30.5, currency: "EUR" }] } },
  "From an ad": {
    type: "text",
    text: { body: "Is this still there?" },
    referral: { source_url: "https://example.org/ad", source_id: "1202263058548107", source_type: "ad", headline: "Summer sale", body: "Until Friday", media_type: "image", image_url: "https://example.org/ad.jpg", ctwa_clid: "Aff-example" },
  },
  "Opened the chat": { type: "request_welcome" },
  "Changed number": { type: "system", system: { type: "user_changed_number", body: "Ana changed to a new number", wa_id: "447700900457" } },
  "Not supported": { type: "unsupported", errors: [{ code: 131051, title: "Message type unknown" }], unsupported: { type: "poll" } },
};

const WITHOUT_CONTENT = new Set(["request_welcome", "unsupported"]);
const INSIDE_INTERACTIVE = new Set(["button_reply", "list_reply", "nfm_reply", "call_permission_reply"]);

/** Edit a message and send it; without `message`, offer common ones to start from. */
export function openJson(message, send) {
  const text = el("textarea", { name: "json", rows: "14", spellcheck: "false", required: true, "aria-label": "Message as JSON", dir: "ltr" });
  const fill = (start) => (text.value = JSON.stringify(start, null, 2));
  const names = Object.keys(STARTS);
  fill(message ?? STARTS[names[0]]);
  const choice = el("select", { on: { change: (event) => fill(STARTS[event.target.value]) } }, names.map((name) => new Option(name)));
  const fields = [!message && el("label", {}, "Start from", choice), text];
  return openForm("Message as JSON", "wide", fields.filter(Boolean), "Send", (values) => send(parsed(values.get("json"))));
}

function parsed(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ControlError(`Invalid JSON: ${error.message}`);
  }
  if (typeof value?.type !== "string") throw new ControlError("The message needs a type.");
  const { type } = value;
  if (!(type in value) && !WITHOUT_CONTENT.has(type)) {
    const inside = INSIDE_INTERACTIVE.has(type) ? ` A ${type} belongs inside a message of type interactive.` : "";
    throw new ControlError(`A message of type ${type} needs its content under the name ${type}.${inside}`);
  }
  return value;
}
