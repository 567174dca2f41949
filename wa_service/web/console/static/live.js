// The server says that something changed; then the page's parts are asked for again and put in place. What somebody is
// just typing in is left alone. A document that the browser has parsed itself needs no policy of trusted types.
import { showTimes } from "./times.js";

const load = (address) =>
  new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.onload = () => (request.status === 200 && request.response ? done(request.response) : failed(request.status));
    request.onerror = () => failed(0);
    request.send();
  });

const isBusy = (part) => part.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);

const focusAgain = (selector) => selector && document.querySelector(selector)?.focus({ preventScroll: true });

const place = (part) => {
  const active = document.activeElement;
  if (!part.contains(active)) return null;
  if (active.id) return `#${CSS.escape(active.id)}`;
  const address = active.getAttribute("href");
  return address ? `[data-part="${part.dataset.part}"] a[href="${CSS.escape(address)}"]` : null;
};

const renew = async () => {
  const fresh = await load(location.href);
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!other || isBusy(part)) continue;
    const again = place(part);
    const taken = document.importNode(other, true);
    showTimes(taken);
    part.replaceWith(taken);
    focusAgain(again);
  }
};

export const followLive = (address) => {
  if (!address) return;
  let waiting = false;
  const source = new EventSource(address);
  source.addEventListener("changed", () => {
    if (waiting) return;
    waiting = true;
    setTimeout(async () => {
      waiting = false;
      try {
        await renew();
      } catch (status) {
        if (status === 401) location.reload();
      }
    }, 150);
  });
  // The browser comes again by itself, unless it was refused: the session is over, or too many pages are open.
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;
    renew().then(
      () => setTimeout(() => followLive(address), 30_000),
      (status) => status === 401 && location.reload(),
    );
  });
};
