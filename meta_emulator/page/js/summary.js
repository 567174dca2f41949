/** A message in one line, for the list of phones, quotes and screen readers. */

const NAMES = {
  image: "Photo",
  video: "Video",
  document: "Document",
  sticker: "Sticker",
  location: "Location",
  contacts: "Contact",
  order: "Order",
  system: "Notice",
  unsupported: "Unsupported message",
};

const MARKED = /(?<![\p{L}\p{N}])([*_~]|```)(?=\S)([^*_~`]+)(?<=\S)\1(?![\p{L}\p{N}])/gu;

/** One line of plain text, never empty. */
export function summary(message) {
  if (message.revoked) return "Deleted message";
  const content = message[message.type] ?? {};
  const text = LINES[message.type]?.(content, message) ?? content.caption ?? content.body;
  const name = NAMES[message.type];
  if (typeof text !== "string" || !text) return name ?? `Message of type ${message.type}`;
  return name ? `${name}: ${oneLine(text)}` : oneLine(text);
}

const LINES = {
  text: (content) => content.body,
  audio: (content) => (content.voice ? "Voice note" : "Audio"),
  document: (content) => content.caption ?? content.filename,
  location: (content) => content.name ?? content.address,
  contacts: (content) => (Array.isArray(content) ? content.map((card) => card?.name?.formatted_name ?? "").join(", ") : ""),
  button: (content) => content.text,
  reaction: (content) => (content.emoji ? `Reacted ${content.emoji}` : "Removed a reaction"),
  interactive: (content) =>
    content.button_reply?.title ?? content.list_reply?.title ?? content.body?.text ?? content.nfm_reply?.body ?? content.type,
  template: (_, message) => message.rendered?.body ?? `Template ${message.template?.name ?? ""}`,
};

function oneLine(text) {
  const line = text.slice(0, 300).replace(/\s+/g, " ").replace(MARKED, "$2").trim();
  return line.length > 140 ? `${line.slice(0, 140)}…` : line;
}
