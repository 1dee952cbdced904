// How long to wait before the next attempt to connect.

/** The bounds of the waits between attempts to connect, in milliseconds. */
export interface Backoff {
  /** The first wait is at most this long; 100 where it isn't said. */
  min: number;
  /** Every wait is at most this long, save what the broker asks for; 30,000 where it isn't said. */
  max: number;
}

/**
 * Counts failures in a row and gives the waits: exponential backoff with full jitter, as in *Exponential Backoff And
 * Jitter* (Brooker, AWS Architecture Blog, 2015), so that many clients that lost the same broker don't come back at one
 * time. The n-th wait is a random time between nothing and `min · 2ⁿ`, at most `max`, and never less than the broker
 * asked for.
 */
export class Retries {
  readonly #backoff: Backoff;
  #failures = 0;
  #attempts = 0;

  constructor(backoff: Backoff) {
    this.#backoff = backoff;
  }

  /** The number of the next attempt: 1 for the first one after the start or after a connection. */
  nextAttempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }

  /**
   * A connection ended after `lasted` milliseconds. One that held for a while clears the past; one that broke soon
   * doesn't, so that a broker that takes clients and drops them isn't asked in a tight loop.
   */
  connectionEnded(lasted: number): void {
    this.#attempts = 0;
    if (lasted >= this.#backoff.max) this.#failures = 0;
  }

  /** The next wait in milliseconds, with `random` in 0 to 1. */
  nextWait(random: number, retryAfter = 0): number {
    const ceiling = Math.min(this.#backoff.max, this.#backoff.min * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(ceiling * Math.min(Math.max(random, 0), 1), retryAfter);
  }
}
