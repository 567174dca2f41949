/** Ticks: a message's status as an image with a label. */

import { drawing, icon } from "./icons.js";
import { el } from "./element.js";
import { clock } from "./times.js";

const ONE = "M1.5 7.5l3.5 3.5 7-8";
const TWO = "M9.5 10.5l.8.5 7.2-8";
const WORDS = {
  accepted: "Accepted",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  played: "Played",
  failed: "Not delivered",
};

/** The ticks of a message; `update(message)` changes them in place, so that nothing is announced twice. */
export function ticks(message) {
  const element = el("span", { class: "ticks", role: "img" });
  element.update = (changed) => {
    const word = WORDS[changed.status] ?? changed.status;
    if (element.dataset.status === changed.status) return;
    element.dataset.status = changed.status;
    element.setAttribute("aria-label", word);
    const times = Object.entries(changed.status_times ?? {}).map(([status, at]) => `${WORDS[status] ?? status} ${clock(at)}`);
    element.title = [message.direction === "in" ? "Statuses sent to the business:" : "", ...times].filter(Boolean).join("\n");
    element.replaceChildren(mark(changed.status));
  };
  element.update(message);
  return element;
}

function mark(status) {
  if (status === "failed") return icon("failed");
  if (status === "accepted") return icon("waiting");
  const paths = status === "sent" ? [ONE] : [ONE, TWO];
  const svg = drawing("0 0 19 14", ...paths);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

/** Meta's error: code, title and details; null without one. */
export function failure(message) {
  const error = message.errors?.[0];
  if (!error) return null;
  const details = error.error_data?.details ?? error.message ?? "";
  return el(
    "div",
    { class: "failure", role: "note", "aria-label": "Why it failed" },
    icon("failed"),
    el(
      "div",
      {},
      el("strong", {}, `${error.code ?? "?"} · ${error.title ?? error.message ?? "Failed"}`),
      details && details !== error.title && el("p", { dir: "auto" }, details),
    ),
  );
}
