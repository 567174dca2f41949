/** The page's copy of the emulated world: phones, business numbers, and messages of phones that were opened. */

/** Messages that change another message and are shown as part of it. */
const ABOUT_ANOTHER = { reaction: "message_id", edit: "original_message_id", revoke: "original_message_id" };

const SERVICE_WINDOW = 86_400;

export class World {
  phones = new Map();
  numbers = new Map();
  /** Newest message of each phone, and how many are unread. */
  newest = new Map();
  unread = new Map();
  callbackUrl = "";
  total = 0;
  clockAhead = 0;
  #conversations = new Map();
  #seenRead = new Set();

  /** Load the response of `GET /conversations`. */
  take({ conversations, total, numbers, callback_url: callbackUrl, clock }) {
    this.phones = new Map(conversations.map(({ phone }) => [phone.wa_id, phone]));
    this.newest = new Map(conversations.map(({ phone, last }) => [phone.wa_id, last]));
    this.unread = new Map(conversations.map(({ phone, unread }) => [phone.wa_id, unread]));
    this.numbers = new Map(numbers.map((number) => [number.id, number]));
    this.callbackUrl = callbackUrl;
    this.total = total;
    this.setClock(clock);
    this.#conversations.clear();
    // A reset world may use the same ids again.
    this.#seenRead.clear();
  }

  /** The emulated clock was advanced. */
  setClock({ now }) {
    this.clockAhead = now - Date.now() / 1000;
  }

  /** The emulated clock, in seconds. */
  now() {
    return Date.now() / 1000 + this.clockAhead;
  }

  /** Load the response of `GET /phones/{wa_id}/messages`; the conversation is then open. */
  open({ messages, phone, cursor }) {
    this.phones.set(phone.wa_id, phone);
    const byId = new Map(messages.map((message) => [message.id, message]));
    this.#conversations.set(phone.wa_id, { byId, cursor });
  }

  isOpen(waId) {
    return this.#conversations.has(waId);
  }

  /** Add or update a phone. */
  putPhone(phone) {
    this.phones.set(phone.wa_id, phone);
  }

  /** Add or update a message from the event with this id; return false if it is already known. */
  putMessage(message, eventId = Infinity) {
    const waId = message.wa_id;
    const known = this.#conversations.get(waId);
    if (known && eventId <= known.cursor) return false;
    const newest = this.newest.get(waId);
    const isNew = known ? !known.byId.has(message.id) : !newest || message.timestamp >= newest.timestamp;
    if (known) known.byId.set(message.id, message);
    this.#openWindow(message);
    if (!newest || message.id === newest.id || message.timestamp >= newest.timestamp) {
      if (!(message.type in ABOUT_ANOTHER)) this.newest.set(waId, message);
    }
    if (known) this.unread.set(waId, this.#unreadOf(known.byId));
    else if (isNew && isUnread(message) && newest?.id !== message.id) this.unread.set(waId, (this.unread.get(waId) ?? 0) + 1);
    return true;
  }

  /** A message of an open conversation. */
  message(waId, id) {
    return this.#conversations.get(waId)?.byId.get(id);
  }

  /** The messages of a conversation, oldest first, without those shown as part of another. */
  shown(waId, numberId) {
    const known = this.#conversations.get(waId);
    if (!known) return [];
    return [...known.byId.values()].filter((message) => message.number_id === numberId && this.isShown(message));
  }

  /** False for a reaction, an edit or a deletion of a known message. */
  isShown(message) {
    const about = ABOUT_ANOTHER[message.type];
    if (!about || message.errors) return true;
    return !this.message(message.wa_id, message[message.type]?.[about]);
  }

  /** Return the ids of unread messages, each only once, even if the phone sends no read receipts. */
  takeUnread(waId, numberId) {
    const ids = this.shown(waId, numberId)
      .filter((message) => isUnread(message) && !this.#seenRead.has(message.id))
      .map((message) => message.id);
    for (const id of ids) this.#seenRead.add(id);
    const known = this.#conversations.get(waId);
    if (known) this.unread.set(waId, this.#unreadOf(known.byId));
    return ids;
  }

  /** Number of unread messages on the other phones. */
  unreadBeside(waId) {
    return [...this.unread].reduce((sum, [other, count]) => sum + (other === waId ? 0 : count), 0);
  }

  /** Phones in the order of the list: newest message first, then as they were added. */
  listed() {
    const at = (phone) => this.newest.get(phone.wa_id)?.timestamp ?? 0;
    return [...this.phones.values()].sort((one, other) => at(other) - at(one));
  }

  /** A message of the phone opens the service window for a day (reference 7.5); there is no event for that. */
  #openWindow({ direction, type, wa_id: waId, number_id: numberId, timestamp }) {
    const windows = this.phones.get(waId)?.windows;
    if (!windows || direction !== "out" || type === "reaction") return;
    windows[numberId] = Math.max(windows[numberId] ?? 0, timestamp + SERVICE_WINDOW);
  }

  #unreadOf(byId) {
    let count = 0;
    for (const message of byId.values()) if (isUnread(message) && !this.#seenRead.has(message.id)) count += 1;
    return count;
  }
}

function isUnread(message) {
  return message.direction === "in" && message.type !== "reaction" && !("read" in message.status_times) && message.status !== "failed";
}
