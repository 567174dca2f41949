const phones = document.querySelector("#phone");
const list = document.querySelector("#messages");
const shown = new Map();

async function call(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`/_emulator${path}`, options);
  return answer.json();
}

function addPhone(phone) {
  if ([...phones.options].some((option) => option.value === phone.wa_id)) return;
  phones.add(new Option(`${phone.name} (${phone.wa_id})`, phone.wa_id));
}

function show(message) {
  if (message.wa_id !== phones.value) return;
  const bubble = shown.get(message.id) ?? document.createElement("div");
  bubble.className = `message ${message.direction}`;
  bubble.dir = "auto";
  bubble.textContent = message.text?.body ?? `[${message.type}]`;
  const note = document.createElement("small");
  note.textContent = message.errors ? `failed: ${message.errors[0].title}` : message.status;
  bubble.append(note);
  if (!shown.has(message.id)) list.append(bubble);
  shown.set(message.id, bubble);
  list.scrollTop = list.scrollHeight;
}

async function open() {
  shown.clear();
  list.replaceChildren();
  if (!phones.value) return;
  const { messages } = await call(`/phones/${phones.value}/messages`);
  messages.forEach(show);
}

document.querySelector("#add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { wa_id } = Object.fromEntries(new FormData(event.target));
  addPhone(await call("/phones", { wa_id }));
  phones.value = wa_id;
  event.target.reset();
  open();
});

document.querySelector("#write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { body } = Object.fromEntries(new FormData(event.target));
  event.target.reset();
  if (phones.value) await call(`/phones/${phones.value}/messages`, { type: "text", text: { body } });
});

phones.addEventListener("change", open);
const { phones: known } = await call("/phones");
known.forEach(addPhone);
await open();

const events = new EventSource("/_emulator/events");
events.addEventListener("phone", (event) => addPhone(JSON.parse(event.data)));
events.addEventListener("message", (event) => show(JSON.parse(event.data)));
events.addEventListener("reset", open);
