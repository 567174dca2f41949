/** Interactive messages of the business (reference 2.5) and the customer's replies to them (5.6). */

import { el } from "../element.js";
import { icon } from "../icons.js";
import { jsonView } from "../json-view.js";
import { bodyPart, choice, choices, footerPart, headerPart, linkChoice } from "./parts.js";
import { unknown } from "./unknown.js";

const ANSWERS = {
  button_reply: (reply) => bodyPart(reply.title),
  list_reply: (reply) => [bodyPart(reply.title), footerPart(reply.description)],
  nfm_reply: (reply) => [
    el("div", { class: "card-head" }, icon("flow"), el("strong", {}, reply.name === "address_message" ? "Address" : "Form")),
    bodyPart(reply.body),
    jsonView(reply.response_json ?? "", "Answers"),
  ],
  call_permission_reply: (reply) => bodyPart(reply.response === "accept" ? "Calls allowed" : "Calls declined"),
};

export function interactive(message, acts) {
  const content = message.interactive;
  const answer = ANSWERS[content.type];
  if (answer) return [answer(content[content.type])].flat().filter(Boolean);
  const actions = ACTIONS[content.type];
  if (!actions) return unknown(message);
  return [
    content.header && headerPart(content.header.type, content.header, acts),
    bodyPart(content.body?.text),
    footerPart(content.footer?.text),
    actions(content.action ?? {}, message, acts),
  ].filter(Boolean);
}

const ACTIONS = {
  button: ({ buttons }, message, acts) =>
    choices(...buttons.map(({ reply }, position) => choice("reply", reply.title, () => acts.press(message, position)))),
  list: (action, message, acts) => choices(choice("list", action.button, () => acts.openList(message))),
  cta_url: ({ parameters }) => choices(linkChoice("link", parameters.display_text, parameters.url)),
  flow: ({ parameters }, message, acts) =>
    choices(
      choice("flow", parameters.flow_cta, () =>
        acts.compose(message, "interactive", {
          type: "nfm_reply",
          nfm_reply: { name: "flow", body: "Sent", response_json: JSON.stringify({ flow_token: parameters.flow_token ?? "unused" }) },
        }),
      ),
    ),
  address_message: (_, message, acts) =>
    choices(
      choice("pin", "Give address", () =>
        acts.compose(message, "interactive", {
          type: "nfm_reply",
          nfm_reply: { name: "address_message", body: "12 Harbour Street", response_json: JSON.stringify({ values: { city: "Goa", pin_code: "403001" } }) },
        }),
      ),
    ),
  location_request_message: (_, message, acts) =>
    choices(choice("pin", "Send location", () => acts.locate(message))),
  request_contact_info: (_, message, acts) =>
    choices(
      choice("card", "Share contact", () =>
        acts.compose(message, "contacts", [{ name: { formatted_name: "Ana", first_name: "Ana" }, phones: [{ phone: `+${message.wa_id}`, wa_id: message.wa_id }] }]),
      ),
    ),
  call_permission_request: (_, message, acts) => {
    const reply = (response) =>
      acts.answer(message, "interactive", {
        type: "call_permission_reply",
        call_permission_reply: { response, is_permanent: false, response_source: "user_action" },
      });
    return choices(
      choice("call", "Allow calls", () => reply("accept")),
      choice("close", "Decline", () => reply("reject")),
    );
  },
  voice_call: ({ parameters }) => choices(el("span", { class: "choice" }, icon("call"), el("span", {}, parameters?.display_text ?? "Call"))),
  carousel: ({ cards }, message, acts) =>
    el(
      "ul",
      { class: "cards", tabindex: "0", "aria-label": "Cards" },
      cards.map((card) =>
        el(
          "li",
          { class: "card" },
          card.header && headerPart(card.header.type, card.header, acts),
          bodyPart(card.body?.text),
          card.action?.parameters?.url && choices(linkChoice("link", card.action.parameters.display_text, card.action.parameters.url)),
          card.action?.buttons && choices(...card.action.buttons.map((button) => el("span", { class: "choice" }, icon("reply"), el("span", {}, button.quick_reply.title)))),
        ),
      ),
    ),
  product: (action, message, acts) => products([action], action.catalog_id, message, acts),
  product_list: (action, message, acts) =>
    products(action.sections.flatMap((section) => section.product_items), action.catalog_id, message, acts),
  catalog_message: (action, message, acts) => products([], "", message, acts),
};

/** Products by their ids (the emulator has no catalogue), and an order for them. */
function products(items, catalogId, message, acts) {
  const ids = items.map((item) => String(item.product_retailer_id));
  const content = {
    catalog_id: catalogId || "194836987003835",
    text: "",
    product_items: (ids.length ? ids : ["sku-1"]).map((id) => ({ product_retailer_id: id, quantity: 1, item_price: 10, currency: "EUR" })),
  };
  return [
    ids.length > 0 && el("ul", { class: "lines" }, ids.map((id) => el("li", {}, id))),
    choices(choice("shop", "Order", () => acts.compose(message, "order", content))),
  ];
}
