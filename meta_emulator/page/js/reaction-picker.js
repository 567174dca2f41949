/** The emoji picker: arrow keys move, Escape closes. */

import { button, el } from "./element.js";

const EMOJI = [
  ["👍", "thumbs up"], ["❤️", "heart"], ["😂", "tears of joy"], ["😮", "surprised"], ["😢", "crying"], ["🙏", "folded hands"],
  ["👏", "clapping"], ["🎉", "party"], ["🔥", "fire"], ["✅", "check mark"], ["👎", "thumbs down"], ["🤔", "thinking"],
  ["😀", "grinning"], ["😍", "heart eyes"], ["😡", "angry"], ["💯", "hundred"], ["👀", "eyes"], ["🚀", "rocket"],
];
const COLUMNS = 6;

/** Open next to `anchor`; calls `choose(emoji)`, with an empty emoji to remove the reaction. */
export function pickReaction(anchor, mine, choose) {
  const close = () => picker.hidePopover();
  const buttons = EMOJI.map(([emoji, name]) =>
    button(
      {
        "aria-label": name,
        "aria-pressed": emoji === mine ? "true" : "false",
        on: {
          click: () => {
            close();
            choose(emoji === mine ? "" : emoji);
          },
        },
      },
      canDraw(emoji) ? emoji : el("small", {}, name),
    ),
  );
  const picker = el("div", { class: "reaction-picker", popover: "auto", role: "dialog", "aria-label": "React" }, ...buttons);
  picker.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    if (!step) return;
    event.preventDefault();
    buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
  });
  picker.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    picker.remove();
    // The toolbar stays visible while the picker is open, so that the focus can return.
    anchor.focus();
    anchor.setAttribute("aria-expanded", "false");
  });
  document.body.append(picker);
  anchor.setAttribute("aria-expanded", "true");
  picker.showPopover();
  placeBeside(picker, anchor);
  (buttons.find((each) => each.getAttribute("aria-pressed") === "true") ?? buttons[0]).focus();
}

/** Whether a font has this emoji: without a glyph it looks like an unassigned character. */
function canDraw(emoji) {
  const canvas = el("canvas", { width: "24", height: "24" });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const drawn = (text) => {
    context.clearRect(0, 0, 24, 24);
    context.font = "16px sans-serif";
    context.fillText(text, 0, 18);
    return context.getImageData(0, 0, 24, 24).data.join();
  };
  return drawn(emoji) !== drawn("\u{10FFFE}");
}

function placeBeside(picker, anchor) {
  const [at, size, edge] = [anchor.getBoundingClientRect(), picker.getBoundingClientRect(), 8];
  const left = Math.min(Math.max(edge, at.left + at.width / 2 - size.width / 2), innerWidth - size.width - edge);
  const above = at.top - size.height - edge;
  picker.style.left = `${left}px`;
  picker.style.top = `${above > edge ? above : Math.min(at.bottom + edge, innerHeight - size.height - edge)}px`;
}
