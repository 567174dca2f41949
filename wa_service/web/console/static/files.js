// What cannot be shown says so: the link under it leads to the reason.
const tellMissing = (target) => {
  const file = target.closest?.("[data-file]");
  if (!file || target.localName === "a") return;
  const told = document.createElement("p");
  told.className = "line";
  told.textContent = "It cannot be shown: Meta no longer has it, or cannot be reached.";
  target.replaceWith(told);
};

export const tellMissingFiles = (page) => {
  page.addEventListener("error", ({ target }) => tellMissing(target), true);
  // Meta may have said no before this module ran. A picture that is not loaded yet keeps decode() waiting.
  for (const image of page.querySelectorAll("[data-file] img"))
    if (image.complete && image.naturalWidth === 0) image.decode().catch(() => tellMissing(image));
  for (const played of page.querySelectorAll("[data-file] :is(audio, video)")) if (played.error) tellMissing(played);
};
