/** Creates every element of the page: strings become text nodes, so no message can become markup. */

/**
 * Create an element.
 *
 * `properties` are attributes (`true` is an empty one; `false`, `null` and `undefined` are none), except `on`
 * ({event: listener}), `data` (the dataset) and `value` (the property). Children are nodes, strings, or lists of
 * them; `null` and `false` are left out.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "value") {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...kept(children));
  return element;
}

/** The children, flattened, without null, undefined and false. */
export function kept(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** A button that does not submit a form. */
export function button(properties, ...children) {
  return el("button", { type: "button", ...properties }, ...children);
}

/** Text for screen readers only. */
export function spoken(text) {
  return el("span", { class: "spoken" }, text);
}
