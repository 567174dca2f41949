/** Client of the emulator's control API (`/_emulator/…`, docs/emulator.md). */

/** The emulator refused the call or is unavailable; the message is a sentence for people. */
export class ControlError extends Error {}

export class Controls {
  /** Every phone with its newest message, the business numbers, and the cursor at which the events continue. */
  conversations() {
    return this.#call("GET", "/conversations");
  }

  messages(waId) {
    return this.#call("GET", `/phones/${encodeURIComponent(waId)}/messages`);
  }

  /** Add a phone (`wa_id`, `name`) or change an existing one. */
  addPhone(traits) {
    return this.#call("POST", "/phones", traits);
  }

  changePhone(waId, traits) {
    return this.#call("PATCH", `/phones/${encodeURIComponent(waId)}`, traits);
  }

  /** The phone writes Meta's inbound message (without envelope) to a business number. */
  write(waId, numberId, message) {
    return this.#phone(waId, "messages", { ...message, phone_number_id: numberId });
  }

  press(waId, messageId, button) {
    return this.#phone(waId, "press", { message_id: messageId, button });
  }

  pick(waId, messageId, row) {
    return this.#phone(waId, "pick", { message_id: messageId, row });
  }

  /** An empty emoji removes the reaction. */
  react(waId, messageId, emoji) {
    return this.#phone(waId, "react", { message_id: messageId, emoji });
  }

  read(waId, messageIds) {
    return this.#phone(waId, "read", { message_ids: messageIds });
  }

  /** Stop or resume marketing messages; the business gets a webhook. */
  preferOffers(waId, numberId, wanted) {
    return this.#phone(waId, "preferences", { value: wanted ? "resume" : "stop", phone_number_id: numberId });
  }

  play(waId, messageId) {
    return this.#phone(waId, "play", { message_id: messageId });
  }

  /** Send a file. `options`: `caption`, `context` (a wamid to quote), `type`, `voice`. */
  sendFile(waId, numberId, file, options = {}) {
    const form = new FormData();
    form.append("file", file, file.name);
    form.append("phone_number_id", numberId);
    for (const [name, value] of Object.entries(options)) if (value) form.append(name, String(value));
    return this.#call("POST", `/phones/${encodeURIComponent(waId)}/files`, form);
  }

  /** The stored calls, of one message or all; oldest first, without bodies. */
  exchanges(messageId) {
    return this.#call("GET", messageId ? `/exchanges?message=${encodeURIComponent(messageId)}` : "/exchanges");
  }

  /** One call with headers, bodies and a curl command. */
  exchange(id) {
    return this.#call("GET", `/exchanges/${id}`);
  }

  #phone(waId, act, body) {
    return this.#call("POST", `/phones/${encodeURIComponent(waId)}/${act}`, body);
  }

  async #call(method, path, body) {
    const options = { method };
    if (body instanceof FormData) {
      options.body = body;
    } else if (body) {
      options.body = JSON.stringify(body);
      options.headers = { "Content-Type": "application/json" };
    }
    let answer;
    try {
      answer = await fetch(`/_emulator${path}`, options);
    } catch {
      throw new ControlError("The emulator does not answer.");
    }
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new ControlError(content.error ?? `The emulator answered ${answer.status}.`);
    return content;
  }
}

/** URL of a stored media file. */
export function mediaUrl(mediaId) {
  return `/_emulator/media/${encodeURIComponent(mediaId)}`;
}
