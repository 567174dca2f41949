/** Empty states and the status bar. */

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

/** A bar on top while there is no callback, or no connection to the emulator; otherwise null. */
export function trouble({ connected, callbackUrl, handshakeError }) {
  if (!connected) return el("p", {}, el("strong", {}, "The emulator is unavailable."), " Reconnecting…");
  if (!callbackUrl) {
    return el("p", {}, el("strong", {}, "No webhook is subscribed."), " Start the service with ", el("code", {}, `WHATSAPP_API_BASE_URL=${location.origin}`), " or set a callback URL.");
  }
  if (handshakeError) return el("p", {}, el("strong", {}, "The callback has not passed its verification yet."), ` ${handshakeError}`);
  return null;
}
