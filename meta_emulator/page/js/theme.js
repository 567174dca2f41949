/** Light, dark, or as the system has it. */

import { button } from "./element.js";
import { icon } from "./icons.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const NAMES = { auto: "as the system", light: "light", dark: "dark" };

/** A button that goes through the three; the choice is kept. */
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
