// A clock that goes when a test says so.

import type { Clock } from "../../src/shell/clock.js";

interface Timer {
  due: number;
  run: () => void;
}

/** Lets everything run that is ready to: promises, and what they lead to. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock implements Clock {
  #now = 1_700_000_000_000;
  readonly #timers = new Set<Timer>();
  /** What `random` gives. */
  chance = 1;

  now(): number {
    return this.#now;
  }

  after(delay: number, run: () => void): () => void {
    const timer = { due: this.#now + Math.max(0, delay), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  random(): number {
    return this.chance;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time go by, each timer at its time. */
  async advance(millis: number): Promise<void> {
    const until = this.#now + millis;
    await settled();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.due);
      this.#timers.delete(next);
      next.run();
      await settled();
    }
    this.#now = until;
  }

  /** The machine sleeps: the time goes on, and timers only run afterwards. */
  async sleep(millis: number): Promise<void> {
    this.#now += millis;
    await this.advance(0);
  }

  /** Time goes by and no timer runs, as in a hidden page. */
  async skip(millis: number): Promise<void> {
    this.#now += millis;
    await settled();
  }

  /** Somebody sets the clock back; what was to run in so many milliseconds still does. */
  setBack(millis: number): void {
    this.#now -= millis;
    for (const timer of this.#timers) timer.due -= millis;
  }

  #next(until: number): Timer | undefined {
    const due = [...this.#timers].filter((timer) => timer.due <= until);
    return due.sort((a, b) => a.due - b.due)[0];
  }
}
