// The connection to the broker: one subscription, kept up over breaks. It knows the protocol and no document.

const KEEP_ALIVE_MS = 20_000; // Between our PINGs; the broker is asked to wait 60 s.
const RETRY_MS = { min: 500, max: 30_000 };
const PAST_TOPICS_MAX = 250; // Of more topics the past would be too much to ask for.
const PAST_MESSAGES = 80; // Of each topic.
const FATAL_CODES = new Set([4400, 4401, 4403, 4409, 4413, 4422, 4501]); // A retry would end the same way.

export class Connection {
  filter = "#";
  isReady = false; // CONNECTED has come.
  isCaughtUp = false; // The last values are all here.
  #on;
  #socket = null;
  #sub = 0;
  #stage = "last"; // What comes: last values; "asked", as they did; "past", the messages before; "live".
  #attempt = 0;
  #timer = 0;
  #heard = 0;
  #farewell = {};

  /** `on` has a function for each of: state(name, text), connected(info), subscribed(problem),
   *  message(packet, isPast) where the past is what was published before this page asked, caughtUp(),
   *  beginsAnew() when all that came comes again, published(packet), notice(info). */
  constructor(on) {
    this.#on = on;
    setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
  }

  /** Connects anew, now, whatever was before. */
  connect() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.isReady = false;
    this.#farewell = {};
    this.#on.state("connecting", "Connecting…");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`, "murre.v1.json");
    this.#socket = socket;
    socket.onopen = () => {
      this.send({ type: "connect", options: { keep_alive: 60, agent: "murre page" } });
      this.#subscribe();
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket && typeof data === "string") this.#onText(data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#onClose(event);
    };
  }

  /** Sends one packet; false where there is no connection. */
  send(packet) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(packet));
    return true;
  }

  /** Shows another filter from here on. */
  changeFilter(filter) {
    this.send({ type: "unsubscribe", sub: this.#sub });
    this.filter = filter;
    this.#subscribe();
  }

  /** Under a new number each time, by which what is still under way for the old filter is told apart. */
  #subscribe() {
    this.#sub += 1;
    this.#stage = "last";
    this.isCaughtUp = false;
    this.send({ type: "subscribe", sub: this.#sub, filter: this.filter,
      options: { from: "last", on_slow: "conflate" } });
  }

  /** Once all topics are known, and few: begins anew with what the broker keeps of each. */
  #askForPast(topics) {
    this.#stage = topics > 0 && topics <= PAST_TOPICS_MAX ? "asked" : "live";
    if (this.#stage === "live") return;
    this.send({ type: "subscribe", sub: this.#sub, filter: this.filter, options: { from: { last: PAST_MESSAGES } } });
  }

  #onSubscribed({ code, info }) {
    if (this.#stage === "last") this.#on.subscribed(code ? info?.reason ?? `code ${code}` : "");
    else if (code) this.#stage = "live"; // What was granted before goes on.
    else {
      this.#stage = "past";
      this.#on.beginsAnew();
    }
  }

  #onCaughtUp({ info }) {
    if (this.#stage !== "last") {
      this.#stage = "live";
      return;
    }
    this.isCaughtUp = true;
    this.#on.caughtUp();
    this.#askForPast(info?.count ?? 0);
  }

  #onText(text) {
    this.#heard = performance.now();
    for (const line of text.split("\n")) if (line) this.#onPacket(JSON.parse(line));
  }

  #onPacket(packet) {
    const isOurs = packet.sub === this.#sub;
    switch (packet.type) {
      case "message":
        if (isOurs) this.#on.message(packet, this.#stage === "past" || packet.options?.retain === true);
        break;
      case "connected":
        this.isReady = true;
        this.#attempt = 0;
        this.#on.state("live", "Live");
        this.#on.connected(packet.info ?? {});
        break;
      case "subscribed":
        if (isOurs) this.#onSubscribed(packet);
        break;
      case "caught_up":
        if (isOurs) this.#onCaughtUp(packet);
        break;
      case "published":
        this.#on.published(packet);
        break;
      case "notice":
        this.#on.notice(packet.info ?? {});
        break;
      case "disconnect":
        this.#farewell = packet;
        break;
      case "ping":
        this.send({ type: "pong" });
        break;
    }
  }

  #onClose(event) {
    this.isReady = false;
    const reason = this.#farewell.reason || event.reason;
    if (FATAL_CODES.has(event.code)) {
      this.#on.state("ended", `Ended: ${reason || `code ${event.code}`}`);
      return;
    }
    // Exponential, with full jitter, and never sooner than the broker asked for.
    const bound = Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** this.#attempt);
    this.#attempt += 1;
    const wait = Math.max(this.#farewell.retry_after ?? 0, Math.random() * bound);
    const when = wait < 1000 ? "Reconnecting…" : `Reconnecting in ${Math.ceil(wait / 1000)} s`;
    this.#on.state("waiting", reason ? `${when} (${reason})` : when);
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  /** Says PING, so that the broker knows us to be here; a broker silent for two of them is gone. */
  #keepAlive() {
    if (!this.isReady) return;
    if (performance.now() - this.#heard > 2.5 * KEEP_ALIVE_MS) this.connect();
    else this.send({ type: "ping" });
  }
}
