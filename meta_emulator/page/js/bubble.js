/** One message in the conversation: quote, content, reactions, failure, time, ticks and actions. */

import { contentOf } from "./content/index.js";
import { button, el, spoken } from "./element.js";
import { icon } from "./icons.js";
import { failure, ticks } from "./status.js";
import { summary } from "./summary.js";
import { clock } from "./times.js";

const NOTICES = new Set(["system", "request_welcome"]);

/**
 * The bubble of a message; `update(message)` redraws only what changed: audio keeps playing while its ticks change.
 *
 * `names(message)` says who wrote; `quoted(id)` finds a message; `acts` are its actions (see `acts.js`).
 */
export function bubble(message, { names, quoted, acts }) {
  const content = el("div", { class: "content" });
  const reason = el("div", { class: "reason" });
  const reactions = el("div", { class: "reactions" });
  const edited = el("span", { class: "edited" });
  const marks = ticks(message);
  const author = names(message);
  const body = el(
    "div",
    { class: "bubble" },
    spoken(`${author}: `),
    forwarded(message),
    quote(message, quoted, names, acts),
    content,
    reason,
    el("div", { class: "meta" }, edited, el("time", { datetime: new Date(message.timestamp * 1000).toISOString() }, clock(message.timestamp)), marks),
  );
  const element = el(
    "article",
    { class: "message", tabindex: "-1", data: { id: message.id, direction: message.direction } },
    body,
    NOTICES.has(message.type) ? null : actions(message, acts),
    reactions,
  );

  let drawn = "";
  let judged = "";
  let reacted = "";
  element.update = (changed) => {
    element.message = changed;
    element.setAttribute("aria-label", `${author}, ${clock(changed.timestamp)}: ${summary(changed)}`);
    element.classList.toggle("failed", changed.status === "failed");
    element.classList.toggle("bare", changed.type === "sticker" && !changed.revoked);
    element.classList.toggle("notice", NOTICES.has(changed.type));
    const shape = JSON.stringify([changed[changed.type], changed.rendered, changed.media_id, changed.revoked]);
    if (shape !== drawn) {
      drawn = shape;
      content.replaceChildren(...contentOf(changed, acts));
    }
    const errors = JSON.stringify(changed.errors ?? null);
    if (errors !== judged) {
      judged = errors;
      const found = failure(changed);
      reason.replaceChildren(...(found ? [found] : []));
    }
    const emoji = JSON.stringify(changed.reactions ?? null);
    if (emoji !== reacted) {
      reacted = emoji;
      reactions.replaceChildren(...chips(changed, acts));
    }
    edited.textContent = changed.edited ? "edited" : "";
    marks.update(changed);
  };
  element.update(message);
  return element;
}

function forwarded({ context }) {
  if (!context?.forwarded && !context?.frequently_forwarded) return null;
  return el("div", { class: "forwarded" }, context.frequently_forwarded ? "Forwarded many times" : "Forwarded");
}

function quote(message, quoted, names, acts) {
  const id = message.context?.id;
  if (!id) return null;
  const found = quoted(id);
  const lines = [el("strong", {}, found ? names(found) : "Quoted"), el("span", { dir: "auto" }, found ? summary(found) : "This message is not available")];
  if (!found) return el("div", { class: "quote" }, ...lines);
  return button({ class: "quote", "aria-label": `Go to the quoted message: ${summary(found)}`, on: { click: () => acts.show(id) } }, ...lines);
}

/** Visible on hover and focus only, so that Tab skips the other messages. */
function actions(message, acts) {
  const about = { class: "plain" };
  return el(
    "div",
    { class: "actions", role: "toolbar", "aria-label": "This message" },
    button({ ...about, "aria-label": "React", title: "React", "aria-haspopup": "dialog", on: { click: (event) => acts.chooseReaction(message, event.currentTarget) } }, icon("react")),
    button({ ...about, "aria-label": "Reply", title: "Reply", on: { click: () => acts.reply(message) } }, icon("reply")),
    button({ ...about, "aria-label": "Traffic of this message", title: "Traffic", on: { click: () => acts.inspect(message) } }, icon("traffic")),
  );
}

function chips(message, acts) {
  return Object.entries(message.reactions ?? {}).map(([by, emoji]) => {
    if (by !== message.wa_id) return el("span", { class: "chip" }, spoken("The business reacted "), emoji);
    const name = `You reacted ${emoji}. Remove it`;
    return button({ class: "chip own", "aria-label": name, title: "Remove", on: { click: () => acts.react(message, "") } }, emoji);
  });
}
