/** Images, videos, audio, documents and stickers. Stored files are shown, external links stay links. */

import { audioPlayer } from "../audio-player.js";
import { mediaUrl } from "../controls.js";
import { button, el } from "../element.js";
import { icon } from "../icons.js";
import { outsideLink, richText, safeUrl } from "../rich-text.js";

const NAMES = { image: "Photo", video: "Video", document: "Document", audio: "Audio", sticker: "Sticker" };

/** URL of a media file; empty if the emulator has none. */
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

/** A photo that opens in full size. */
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

/** Media sent by link: the emulator has not fetched it, and the page loads nothing from other hosts. */
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

/** An image that is replaced by a note if it cannot be loaded. */
function loaded(img, frame, kind) {
  img.addEventListener("error", () => {
    frame.classList.add("broken");
    frame.replaceChildren(icon(kind), el("span", {}, `${NAMES[kind]} cannot be shown`));
  });
  return img;
}
