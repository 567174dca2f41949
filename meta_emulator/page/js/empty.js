/** What stands where nothing is yet: what to do. */

import { button, el } from "./element.js";
import { drawing } from "./icons.js";

const BUBBLES = ["M10 14h34a6 6 0 0 1 6 6v14a6 6 0 0 1-6 6H24l-9 8v-8h-5a6 6 0 0 1-6-6V20a6 6 0 0 1 6-6z", "M56 30h24a6 6 0 0 1 6 6v12a6 6 0 0 1-6 6h-4v7l-8-7H50", "M14 24h22M14 31h14"];

/** An empty conversation; `hello()` writes the first message. */
export function emptyConversation(business, hello) {
  const picture = drawing("0 0 90 66", ...BUBBLES);
  picture.setAttribute("aria-hidden", "true");
  return el(
    "div",
    { class: "empty" },
    picture,
    el("h3", {}, "Write hello"),
    el("p", {}, `What you write goes to the webhook of ${business}; what it answers appears here.`),
    button({ class: "primary", on: { click: hello } }, "Send “hello”"),
  );
}

/** A bar on top while nobody takes webhooks, or the emulator is away; null when all is well. */
export function trouble({ connected, callbackUrl, handshakeError }) {
  if (!connected) return el("p", {}, el("strong", {}, "The emulator is away."), " Trying again…");
  if (!callbackUrl) {
    return el("p", {}, el("strong", {}, "No business listens yet."), " Start the service with ", el("code", {}, `WHATSAPP_API_BASE_URL=${location.origin}`), " or subscribe a webhook.");
  }
  if (handshakeError) return el("p", {}, el("strong", {}, "The webhook has not answered its handshake yet."), ` ${handshakeError}`);
  return null;
}
