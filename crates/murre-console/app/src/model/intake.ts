// Takes messages in without ever holding the page up: what is too much for one moment waits for the next.

import type { Message } from "murre";

/** Milliseconds in a row: a frame has 16, and has to be drawn, too. */
const SLICE_MS = 8;
/** Messages between two looks at the clock. */
const LOOK_EACH = 32;
/** Topics of which a message waits; of further ones it is taken at once. */
const WAITING_MAX = 250_000;

/** A message, and how many of its topic it stands for. */
export interface Arrival {
  message: Message;
  /** It was published before the page asked. */
  isPast: boolean;
  count: number;
}

/** Hands messages on in their order; of a topic for which several wait, the newest alone. */
export class Intake {
  readonly #take: (arrival: Arrival) => void;
  readonly #now: () => number;
  readonly #later: (slice: () => void) => void;
  readonly #waiting = new Map<string, Arrival>();
  #isScheduled = false;
  #begun = 0;
  #taken = 0;

  /** `later` runs a function when the page has had the time to do something else. */
  constructor(
    take: (arrival: Arrival) => void,
    now: () => number,
    later: (slice: () => void) => void = (slice) => setTimeout(slice, 0),
  ) {
    this.#take = take;
    this.#now = now;
    this.#later = later;
  }

  /** Takes a message now, or as soon as there is time. */
  add(message: Message, isPast: boolean): void {
    if (!this.#isScheduled) this.#schedule();
    const arrival = { message, isPast, count: 1 };
    const isLate = this.#waiting.size > 0 || this.#isSpent();
    if (isLate && this.#waiting.size < WAITING_MAX) this.#wait(arrival);
    else this.#take(arrival);
  }

  /** Takes all that waits. */
  flush(): void {
    for (const arrival of this.#waiting.values()) this.#take(arrival);
    this.#waiting.clear();
  }

  #wait(arrival: Arrival): void {
    const { topic } = arrival.message;
    const before = this.#waiting.get(topic);
    if (before) arrival.count += before.count;
    this.#waiting.set(topic, arrival);
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.#begun = this.#now();
    this.#taken = 0;
    this.#later(() => this.#slice());
  }

  #slice(): void {
    this.#isScheduled = false;
    if (this.#waiting.size === 0) return;
    this.#schedule();
    for (const [topic, arrival] of this.#waiting) {
      if (this.#isSpent()) return;
      this.#waiting.delete(topic);
      this.#take(arrival);
    }
  }

  #isSpent(): boolean {
    this.#taken += 1;
    return this.#taken % LOOK_EACH === 0 && this.#now() - this.#begun > SLICE_MS;
  }
}
