/** Images, videos, sound, documents and stickers. Files are the emulator's own; links of others stay links. */

import { audioPlayer } from "../audio-player.js";
import { mediaUrl } from "../controls.js";
import { button, el } from "../element.js";
import { icon } from "../icons.js";
import { outsideLink, richText, safeUrl } from "../rich-text.js";

const NAMES = { image: "Photo", video: "Video", document: "Document", audio: "Audio", sticker: "Sticker" };

/** Where the page gets a media object's bytes; empty where the emulator has none. */
function source(media, keptId = "") {
  const id = keptId || media?.id;
  return id ? mediaUrl(id) : "";
}

function caption(media) {
  return media.caption ? el("div", { class: "words caption", dir: "auto" }, ...richText(String(media.caption))) : null;
}

export function image(message, acts) {
  const media = message.image;
  return [picture(media, acts, message.media_id), caption(media)].filter(Boolean);
}

/** A photo that opens large. */
export function picture(media, acts, keptId) {
  const from = source(media, keptId);
  if (!from) return elsewhere("image", media);
  const alt = media.caption ? `Photo: ${media.caption}` : "Photo";
  const open = button({ class: "picture", "aria-label": `Open ${alt}`, on: { click: () => acts.enlarge(from, alt) } });
  open.append(loaded(el("img", { src: from, alt: "", decoding: "async" }), open, "image"));
  return open;
}

export function sticker(message) {
  const from = source(message.sticker, message.media_id);
  if (!from) return elsewhere("sticker", message.sticker);
  const frame = el("div", { class: "sticker" });
  frame.append(loaded(el("img", { src: from, alt: "Sticker", decoding: "async" }), frame, "sticker"));
  return frame;
}

export function video(message) {
  const media = message.video;
  return [film(media, message.media_id), caption(media)].filter(Boolean);
}

/** A video with the browser's own controls. */
export function film(media, keptId) {
  const from = source(media, keptId);
  if (!from) return elsewhere("video", media);
  return el("video", { class: "film", src: from, controls: true, preload: "metadata", "aria-label": "Video" });
}

export function audio(message, acts) {
  const from = source(message.audio, message.media_id);
  if (!from) return elsewhere("audio", message.audio);
  const voice = Boolean(message.audio.voice);
  return audioPlayer({
    source: from,
    voice,
    onFirstPlay: () => message.direction === "in" && acts.played(message),
  });
}

export function document(message) {
  const media = message.document;
  return [paper(media, message.media_id), caption(media)].filter(Boolean);
}

/** A document to download. */
export function paper(media, keptId) {
  const from = source(media, keptId);
  if (!from) return elsewhere("document", media);
  const name = String(media.filename ?? "Document");
  return el(
    "a",
    { class: "card document", href: from, download: name, "aria-label": `Download ${name}` },
    el("span", { class: "card-icon" }, icon("document")),
    el(
      "span",
      { class: "card-lines" },
      el("strong", { dir: "auto" }, name),
      el("small", {}, ending(name, media.mime_type)),
    ),
    icon("download"),
  );
}

function ending(name, mimeType) {
  const found = /\.([A-Za-z0-9]{1,5})$/.exec(name);
  return found ? `${found[1].toUpperCase()} file` : String(mimeType ?? "File");
}

/** Media that were sent by link: the emulator has not fetched them, and the page loads nothing from elsewhere. */
function elsewhere(kind, media) {
  const href = safeUrl(media.link);
  const lines = el(
    "span",
    { class: "card-lines" },
    el("strong", {}, `${NAMES[kind]} by link`),
    el("small", {}, href ? new URL(href).host : "not fetched"),
  );
  const parts = [el("span", { class: "card-icon" }, icon(kind === "audio" ? "play" : kind)), lines, icon("link")];
  const card = href ? outsideLink(href, ...parts) : el("div", {}, ...parts);
  card.classList.add("card", "document");
  return card;
}

/** An image that shows a word instead where its bytes are no picture (any more). */
function loaded(img, frame, kind) {
  img.addEventListener("error", () => {
    frame.classList.add("broken");
    frame.replaceChildren(icon(kind), el("span", {}, `${NAMES[kind]} that cannot be shown`));
  });
  return img;
}
