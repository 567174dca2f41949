/** Light, dark, or system theme. */

import { button } from "./element.js";
import { icon } from "./icons.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const NAMES = { auto: "system", light: "light", dark: "dark" };

/** A button that cycles through the three; the choice is stored. */
export function themeButton() {
  const root = document.documentElement;
  const control = button({ class: "plain", on: { click: () => choose(NEXT[root.dataset.theme]) } });
  const choose = (theme) => {
    localStorage.setItem("phone.theme", theme);
    root.dataset.theme = theme;
    control.setAttribute("aria-label", `Colours: ${NAMES[theme]}`);
    control.title = `Colours: ${NAMES[theme]}`;
    control.replaceChildren(icon(theme));
  };
  choose(root.dataset.theme in NEXT ? root.dataset.theme : "auto");
  return control;
}
