// When to send a PING, and when to give a connection up.

/** What keep-alive wants: a PING, the end, or nothing before a time in milliseconds (Infinity: never). */
export type Due = "ping" | "dead" | number;

/**
 * One connection's keep-alive, with the time in milliseconds as an argument.
 *
 * A PING is due when nothing was sent for half of the interval (so that the broker knows of us), and when nothing came
 * for half of it (so that the broker has something to answer). When nothing came for a whole interval, the connection
 * is dead.
 */
export class KeepAlive {
  readonly #interval: number;
  #sent: number;
  #received: number;
  #pinged: number;
  #latest: number;

  /** Of a connection that was just made; an interval of 0 means none. */
  constructor(interval: number, now: number) {
    this.#interval = interval;
    this.#sent = now;
    this.#received = now;
    this.#pinged = now;
    this.#latest = now;
  }

  /** Something was written to the socket. */
  sent(now: number): void {
    this.#sent = now;
  }

  /** Something came. */
  received(now: number): void {
    this.#received = now;
  }

  /** What is to be done. A PING that is due counts as asked for from now on. */
  poll(now: number): Due {
    if (this.#interval <= 0) return Number.POSITIVE_INFINITY;
    this.#clockMovedBack(now);
    const deadAt = this.#received + this.#interval;
    if (now >= deadAt) return "dead";
    const pingAt = Math.max(Math.min(this.#sent, this.#received), this.#pinged) + this.#interval / 2;
    if (now < pingAt) return Math.min(pingAt, deadAt);
    this.#pinged = now;
    return "ping";
  }

  /** A wall clock that was set back must not put PINGs off. */
  #clockMovedBack(now: number): void {
    if (now < this.#latest) {
      this.#sent = now;
      this.#received = now;
      this.#pinged = now;
    }
    this.#latest = now;
  }
}
