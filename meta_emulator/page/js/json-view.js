/** Formatted JSON: indented, with colours for keys, strings and numbers. */

import { el } from "./element.js";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;
const LARGEST = 60_000;

/** A value, or a text that may be JSON, as a `<pre>`. */
export function jsonView(value, label) {
  const text = typeof value === "string" ? pretty(value) : JSON.stringify(value, null, 2);
  const pre = el("pre", { class: "json", tabindex: "0", role: "region", "aria-label": label });
  if (text.length > LARGEST) pre.append(text.slice(0, LARGEST), "\n…");
  else pre.append(...coloured(text));
  return pre;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function coloured(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > from) nodes.push(text.slice(from, match.index));
    const [whole, quoted, colon] = match;
    if (quoted) nodes.push(el("span", { class: colon ? "key" : "text" }, quoted), colon ?? "");
    else nodes.push(el("span", { class: "number" }, whole));
    from = match.index + whole.length;
  }
  nodes.push(text.slice(from));
  return nodes;
}
