/** Text with formatting: *bold*, _italic_, ~strike~, `code`, ```blocks```, > quotes, - lists, and links. */

import { el } from "./element.js";

const MARKS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;
const BLOCK = /```([\s\S]+?)```/g;
const LINK = /(?:https?:\/\/|www\.)[^\s<>"]+/iy;
const CODE = /`([^`\n]+)`/y;
const ITEM = /^(?:[*-]|(\d{1,3})\.) +(\S[^\n]*)\n?$/;
const AFTER_A_LINK = /[.,!?;:'"*_~\])}]+$/;

/** The text as nodes, in time bounded by its length. */
export function richText(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(BLOCK)) {
    nodes.push(...lines(text.slice(from, match.index).replace(/\n$/, "")), el("code", { class: "mono-block" }, match[1].replace(/^\n|\n$/g, "")));
    from = match.index + match[0].length;
    if (text[from] === "\n") from += 1;
  }
  return [...nodes, ...lines(text.slice(from))];
}

/** True for one to three emoji and nothing else. */
export function isOnlyEmoji(text) {
  if (text.length > 40 || !/\p{Extended_Pictographic}/u.test(text)) return false;
  const clusters = [...new Intl.Segmenter().segment(text.trim())].map((part) => part.segment);
  return clusters.length <= 3 && clusters.every((cluster) => /^[\p{Extended_Pictographic}\p{Regional_Indicator}]/u.test(cluster));
}

function lines(text) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    nodes.push(...inline(plain));
    plain = "";
  };
  let list = null;
  for (const line of text.split(/(?<=\n)/)) {
    const item = ITEM.exec(line);
    if (item) {
      flush();
      const [, number, words] = item;
      const tag = number ? "ol" : "ul";
      if (list?.localName !== tag) nodes.push((list = el(tag, { start: number ?? null })));
      list.append(el("li", {}, ...inline(words)));
      continue;
    }
    list = null;
    if (line.startsWith("> ")) {
      flush();
      nodes.push(el("blockquote", {}, ...inline(line.slice(2).trimEnd())));
    } else {
      plain += line;
    }
  }
  flush();
  return nodes;
}

function inline(text, open = "") {
  const nodes = [];
  const hopeless = {};
  let plain = 0;
  let at = 0;
  const take = (node, end) => {
    if (at > plain) nodes.push(text.slice(plain, at));
    nodes.push(node);
    at = plain = end;
  };
  while (at < text.length) {
    const character = text[at];
    const starts = at === 0 || !WORD.test(text[at - 1]);
    if (starts && (character === "h" || character === "H" || character === "w" || character === "W")) {
      const found = link(text, at);
      if (found) {
        take(found.node, found.end);
        continue;
      }
    } else if (character === "`") {
      CODE.lastIndex = at;
      const match = CODE.exec(text);
      if (match) {
        take(el("code", {}, match[1]), CODE.lastIndex);
        continue;
      }
    } else if (starts && character in MARKS && !open.includes(character) && !(hopeless[character] > at)) {
      const end = closing(text, at, character);
      if (end > 0) {
        take(el(MARKS[character], {}, ...inline(text.slice(at + 1, end), open + character)), end + 1);
        continue;
      }
      // The closing position does not depend on the opening: this line need not be searched again.
      hopeless[character] = -end;
    }
    at += 1;
  }
  if (plain < text.length) nodes.push(text.slice(plain));
  return nodes;
}

/** The position that closes the mark opened at `from`; otherwise the negated end of the line. */
function closing(text, from, mark) {
  let at = from + 1;
  if (at >= text.length || /\s/.test(text[at]) || text[at] === mark) return -at;
  for (; at < text.length && text[at] !== "\n"; at += 1) {
    if (text[at] !== mark || /\s/.test(text[at - 1])) continue;
    if (at + 1 >= text.length || (!WORD.test(text[at + 1]) && text[at + 1] !== mark)) return at;
  }
  return -at;
}

function link(text, at) {
  LINK.lastIndex = at;
  const match = LINK.exec(text);
  if (!match) return null;
  const shown = match[0].replace(AFTER_A_LINK, (tail) => (tail.startsWith(")") && match[0].includes("(") ? ")" : ""));
  const href = safeUrl(/^www\./i.test(shown) ? `https://${shown}` : shown);
  return href && { node: outsideLink(href, shown), end: at + shown.length };
}

/** The address if it is http or https, otherwise an empty string. */
export function safeUrl(address) {
  try {
    const url = new URL(String(address));
    return ["http:", "https:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/** An external link that sends no referrer. */
export function outsideLink(href, ...children) {
  return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}
