/** Keyboard navigation in a list of buttons. */

/** Let ArrowUp, ArrowDown, Home and End move the focus between the elements of `container` that match `selector`. */
export function arrowKeys(container, selector) {
  container.addEventListener("keydown", (event) => {
    const items = [...container.querySelectorAll(selector)];
    const at = items.indexOf(event.target.closest(selector));
    if (at < 0) return;
    const next = items[{ ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: items.length - 1 }[event.key]];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
}

/** Make only this one of the elements reachable with Tab. */
export function onlyInTabOrder(items, current) {
  for (const each of items) each.tabIndex = each === current ? 0 : -1;
}
