/** The event stream: read the world, follow it from there, and read it anew whenever the stream was away. */

const KINDS = ["message", "phone", "typing", "exchange", "handshake", "reset"];
const GATHER_MILLISECONDS = 25;
const RETRY_MILLISECONDS = 700;
// Browsers open six connections to a host: a page that nobody looks at gives its own back.
const HIDDEN_MILLISECONDS = 10_000;

export class Live {
  #source = null;
  #gathered = [];
  #timer = null;
  #hidden = null;
  #epoch = 0;

  /**
   * `load()` reads the world and answers the cursor to follow from; `apply(events)` takes what happened since, as
   * `[{id, kind, data}]`, gathered for a few milliseconds; `connected(boolean)` hears how the stream is.
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
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.#take(kind, event));
  }

  #take(kind, event) {
    if (kind === "reset") {
      this.#connect();
      return;
    }
    this.#gathered.push({ id: Number(event.lastEventId), kind, data: JSON.parse(event.data) });
    this.#timer ??= setTimeout(() => {
      const events = this.#gathered;
      this.#forget();
      this.apply(events);
    }, GATHER_MILLISECONDS);
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

  #forget() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#gathered = [];
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    this.#forget();
  }
}
