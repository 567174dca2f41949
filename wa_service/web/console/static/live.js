// When the server reports a change, load the page again and replace its parts, except those in which somebody types.
// What was typed or chosen before, and the focus, stay.
import { load } from "./load.js";
import { showTimes } from "./times.js";

const isPlaying = (part) => [...part.querySelectorAll("audio, video")].some((each) => !each.paused);

const FIELDS = "input, textarea, select";

const isBusy = (part) => isPlaying(part) || (part.contains(document.activeElement) && document.activeElement.matches(FIELDS));

const isChanged = (field) =>
  field.localName === "select"
    ? field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected))
    : field.value !== field.defaultValue || field.checked !== field.defaultChecked;

// Put what was typed or chosen into the fresh part; false if a field is not there any more.
const keepFields = (part, taken) =>
  [...part.querySelectorAll(FIELDS)].filter(isChanged).every((field) => {
    const other = field.id && taken.querySelector(`#${CSS.escape(field.id)}`);
    if (other) other.value = field.value;
    return Boolean(other);
  });

const focusAgain = (selector) => selector && document.querySelector(selector)?.focus({ preventScroll: true });

// A selector of the element that has the focus in a part.
const place = (part) => {
  const active = document.activeElement;
  if (!part.contains(active)) return null;
  if (active.id) return `#${CSS.escape(active.id)}`;
  const within = `[data-part="${part.dataset.part}"]`;
  const action = active.localName === "button" && active.closest("form")?.getAttribute("action");
  if (action) return `${within} form[action="${CSS.escape(action)}"] button`;
  const name = ["href", "src", "aria-labelledby"].find((each) => active.hasAttribute(each));
  return name ? `${within} ${active.localName}[${name}="${CSS.escape(active.getAttribute(name))}"]` : null;
};

// Keep file elements when the part around them is replaced, so that each file is fetched once.
const keepFiles = (part, taken) => {
  for (const file of part.querySelectorAll("[data-file]"))
    taken.querySelector(`[data-file="${CSS.escape(file.dataset.file)}"]`)?.replaceWith(file);
};

const renew = async () => {
  const { response: fresh } = await load(location.href);
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!other || isBusy(part)) continue;
    const again = place(part);
    const taken = document.importNode(other, true);
    if (!keepFields(part, taken)) continue;
    showTimes(taken);
    keepFiles(part, taken);
    part.replaceWith(taken);
    focusAgain(again);
  }
};

// Renew at once, and then at most every two seconds, however many changes there are.
const PAUSE = 2_000;
const page = crypto.randomUUID?.() ?? String(Math.random());

export const followLive = (address) => {
  if (!address) return;
  let source = null;
  let wanted = 0;
  let renewed = -PAUSE;
  const look = async () => {
    renewed = performance.now();
    try {
      await renew();
    } catch (status) {
      if (status === 401) location.reload();
      if (status === 429) renewed += 10 * PAUSE;
    }
    wanted = 0;
  };
  const soon = () => {
    wanted ||= setTimeout(look, Math.max(150, renewed + PAUSE - performance.now()));
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    source = new EventSource(`${address}${address.includes("?") ? "&" : "?"}page=${page}`);
    source.addEventListener("changed", soon);
    // The browser reconnects by itself, unless it was refused: the session is over, or too many pages are open.
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      soon();
      setTimeout(() => source || document.hidden || open(), 30_000);
    });
  };
  // A hidden page does not follow changes; it is renewed when it becomes visible.
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && !source && (open(), soon()));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!source) {
      open();
      soon();
    }
  });
  if (!document.hidden) open();
};
