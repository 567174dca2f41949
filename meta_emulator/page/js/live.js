/** The event stream: load the world, follow its events, and reload it after every disconnect. */

const KINDS = ["message", "phone", "typing", "exchange", "handshake", "clock", "reset"];
const BATCH_MILLISECONDS = 25;
const RETRY_MILLISECONDS = 700;
// Browsers open at most six connections per host: a hidden page closes its own.
const HIDDEN_MILLISECONDS = 10_000;

export class Live {
  #source = null;
  #batch = [];
  #timer = null;
  #hidden = null;
  #epoch = 0;

  /**
   * `load()` reads the world and returns the cursor to continue from; `apply(events)` gets batches of
   * `[{id, kind, data}]`; `connected(boolean)` is called when the stream opens or breaks.
   */
  constructor({ load, apply, connected }) {
    this.load = load;
    this.apply = apply;
    this.connected = connected;
  }

  start() {
    document.addEventListener("visibilitychange", () => this.#visibility());
    this.#connect();
  }

  async #connect() {
    const epoch = ++this.#epoch;
    this.#close();
    let cursor;
    try {
      cursor = await this.load();
    } catch {
      if (epoch === this.#epoch) this.#retry();
      return;
    }
    if (epoch !== this.#epoch) return;
    const source = new EventSource(`/_emulator/events?after=${cursor}`);
    this.#source = source;
    source.addEventListener("open", () => this.connected(true));
    source.addEventListener("error", () => this.#retry());
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#receive(kind, event));
  }

  #receive(kind, event) {
    if (kind === "reset") {
      this.#connect();
      return;
    }
    this.#batch.push({ id: Number(event.lastEventId), kind, data: JSON.parse(event.data) });
    this.#timer ??= setTimeout(() => {
      const events = this.#batch;
      this.#discardBatch();
      this.apply(events);
    }, BATCH_MILLISECONDS);
  }

  #retry() {
    this.#close();
    this.connected(false);
    const epoch = ++this.#epoch;
    setTimeout(() => epoch === this.#epoch && this.#connect(), RETRY_MILLISECONDS);
  }

  #visibility() {
    clearTimeout(this.#hidden);
    if (document.visibilityState === "hidden") {
      this.#hidden = setTimeout(() => {
        this.#epoch += 1;
        this.#close();
      }, HIDDEN_MILLISECONDS);
    } else if (this.#source === null) {
      this.#connect();
    }
  }

  #discardBatch() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#batch = [];
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    this.#discardBatch();
  }
}
