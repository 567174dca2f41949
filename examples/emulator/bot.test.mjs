// A bot tested with Node's test runner against the emulator: `node --test examples/emulator`.
// PYTHON names the Python that has meta_emulator installed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

let emulator, meta, bot;

before(async () => {
  emulator = spawn(process.env.PYTHON ?? "python3", ["-m", "meta_emulator", "--port", "0", "--json"]);
  const [line] = await once(createInterface(emulator.stdout), "line");
  meta = JSON.parse(line);
  bot = createServer(answer).listen(0, "127.0.0.1");
  await once(bot, "listening");
  await control("POST", "webhooks/callback", { url: `http://127.0.0.1:${bot.address().port}/` });
});

after(() => {
  bot.closeAllConnections();
  bot.close();
  emulator.kill();
});

test("the bot answers in capitals", async () => {
  const ana = phone("447700900123");
  await ana.write("hello");
  assert.equal((await ana.heard()).text.body, "HELLO");
});

test("each message is answered once, in order", async () => {
  const ben = phone("15550102030");
  for (const text of ["one", "two"]) await ben.write(text);
  assert.deepEqual([(await ben.heard()).text.body, (await ben.heard()).text.body], ["ONE", "TWO"]);
});

// The bot under test: it checks the signature and answers the customer's message.
async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const wanted = "sha256=" + createHmac("sha256", meta.app_secret).update(body).digest("hex");
  if (request.headers["x-hub-signature-256"] !== wanted) return response.writeHead(401).end();
  const { messages = [] } = JSON.parse(body).entry[0].changes[0].value;
  for (const message of messages) {
    await fetch(`${meta.url}/v24.0/${meta.phone_number_ids[0]}/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${meta.access_token}`, "content-type": "application/json" },
      body: JSON.stringify({
        messaging_product: "whatsapp",
        to: message.from,
        type: "text",
        text: { body: message.text.body.toUpperCase() },
      }),
    });
  }
  response.writeHead(200).end(); // only now is this customer's next message delivered
}

async function control(method, path, body) {
  const answer = await fetch(`${meta.controls}/${path}`, { method, body: body && JSON.stringify(body) });
  const found = await answer.json();
  assert.equal(answer.status, 200, found.error);
  return found;
}

function phone(number) {
  let cursor = 0;
  const unread = [];
  return {
    write: (text) => control("POST", `phones/${number}/messages`, { type: "text", text: { body: text } }),
    async heard(wait = 10) {
      if (!unread.length) {
        const found = await control("GET", `phones/${number}/messages?after=${cursor}&wait=${wait}`);
        unread.push(...found.messages);
        cursor = found.cursor;
      }
      assert.ok(unread.length, `${number} received no message within ${wait} s`);
      return unread.shift();
    },
  };
}
