// What cannot be shown says so: the link under it leads to the reason.
export const tellMissingFiles = (page) =>
  page.addEventListener(
    "error",
    ({ target }) => {
      const file = target.closest?.("[data-file]");
      if (!file || target.localName === "a") return;
      const told = document.createElement("p");
      told.className = "line";
      told.textContent = "It cannot be shown: Meta no longer has it, or cannot be reached.";
      target.replaceWith(told);
    },
    true,
  );
