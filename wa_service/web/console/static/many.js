// Many dead letters, one after the other, with their progress: a form for each would be a page for each.
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// The answer; null where the service could not be reached.
const post = async (address, body) => {
  for (;;) {
    const answer = await fetch(address, { method: "POST", body }).catch(() => null);
    if (answer?.status !== 429) return answer;
    await sleep(Number(answer.headers.get("Retry-After")) || 5);
  }
};

export const replayMany = (form) => {
  if (!form) return;
  const boxes = () => [...form.querySelectorAll("input[name=letter]")];
  const all = form.querySelector("[data-all]");
  all?.addEventListener("change", () => boxes().forEach((box) => (box.checked = all.checked)));
  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    const chosen = boxes().filter((box) => box.checked);
    if (!button || button.name !== "do" || chosen.length < 2) return;
    event.preventDefault();
    const bar = form.querySelector("progress");
    const said = form.querySelector("[data-said]");
    bar.hidden = false;
    bar.max = chosen.length;
    let failed = 0;
    for (const [index, box] of chosen.entries()) {
      const body = new URLSearchParams({ csrf: form.elements.csrf.value, do: button.value, letter: box.value, quiet: "1" });
      const answer = await post(form.action, body);
      if (answer?.status === 401) return location.reload();
      if (answer?.ok) box.closest("tr")?.remove();
      else failed += 1;
      bar.value = index + 1;
      said.textContent = `${index + 1} of ${chosen.length} done${failed ? `, ${failed} could not be` : ""}.`;
    }
  });
};
