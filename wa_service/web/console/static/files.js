// Replaces a file that cannot be shown by a sentence; the link below it leads to the reason.
const tellMissing = (target) => {
  const file = target.closest?.("[data-file]");
  if (!file || target.localName === "a") return;
  const note = document.createElement("p");
  note.className = "line";
  note.textContent = "It cannot be shown: Meta no longer has it, or cannot be reached.";
  target.replaceWith(note);
};

export const tellMissingFiles = (page) => {
  page.addEventListener("error", ({ target }) => tellMissing(target), true);
  // The request may have failed before this module ran. decode() waits for an image that is still loading.
  for (const image of page.querySelectorAll("[data-file] img"))
    if (image.complete && image.naturalWidth === 0) image.decode().catch(() => tellMissing(image));
  for (const played of page.querySelectorAll("[data-file] :is(audio, video)")) if (played.error) tellMissing(played);
};
