// Replay or drop many dead letters one by one, with a progress bar, instead of submitting the form.
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Return the response; null if the service cannot be reached.
const post = async (address, body) => {
  for (;;) {
    const answer = await fetch(address, { method: "POST", body }).catch(() => null);
    if (answer?.status !== 429) return answer;
    await sleep(Number(answer.headers.get("Retry-After")) || 5);
  }
};

const reasonOf = async (answer) => (answer?.status === 409 ? answer.text() : "It was not done. Try again.");

const tell = (row, reason) => {
  row.querySelector("[data-failed]")?.remove();
  const line = document.createElement("p");
  line.className = "bad";
  line.dataset.failed = "";
  line.textContent = reason;
  row.cells[2].append(line);
};

export const replayMany = (form) => {
  if (!form) return;
  let isRunning = false;
  const boxes = () => [...form.querySelectorAll("input[name=letter]")];
  const all = form.querySelector("[data-all]");
  all?.addEventListener("change", () => boxes().forEach((box) => (box.checked = all.checked)));
  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (isRunning) return event.preventDefault();
    const chosen = boxes().filter((box) => box.checked);
    if (!button || button.name !== "do" || chosen.length < 2) return;
    event.preventDefault();
    isRunning = true;
    const bar = form.querySelector("progress");
    const status = form.querySelector("[data-said]");
    bar.hidden = false;
    bar.max = chosen.length;
    let failed = 0;
    for (const [index, box] of chosen.entries()) {
      const body = new URLSearchParams({ csrf: form.elements.csrf.value, do: button.value, letter: box.value, quiet: "1" });
      const answer = await post(form.action, body);
      if (answer?.status === 401) return location.reload();
      if (answer?.ok) box.closest("tr").remove();
      else {
        failed += 1;
        tell(box.closest("tr"), await reasonOf(answer));
      }
      bar.value = index + 1;
      status.textContent = `${index + 1} of ${chosen.length} done${failed ? `, ${failed} failed` : ""}.`;
    }
    isRunning = false;
  });
};
