// Asks the same thing again and again, for as long as somebody looks.

import { AdminError } from "./admin.js";

/** From an answer to the next question. */
export const POLL_MS = 2000;

/** What became of a question. */
export interface Polled<T> {
  answer: T | undefined;
  problem: Error | undefined;
}

/** One question at a time; the next one is asked when its answer is there and POLL_MS have passed. */
export class Poll<T> {
  readonly #ask: (signal: AbortSignal) => Promise<T>;
  readonly #onChange: (polled: Polled<T>) => void;
  #asking: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `onChange` hears of each answer and of each failure, never after `stop`. */
  constructor(ask: (signal: AbortSignal) => Promise<T>, onChange: (polled: Polled<T>) => void) {
    this.#ask = ask;
    this.#onChange = onChange;
  }

  /** Asks now, and again from then on. */
  start(): void {
    this.stop();
    const asking = new AbortController();
    this.#asking = asking;
    this.#ask(asking.signal).then(
      (answer) => {
        if (asking.signal.aborted) return;
        this.#onChange({ answer, problem: undefined });
        this.#wait();
      },
      (problem: Error) => {
        if (asking.signal.aborted) return;
        this.#onChange({ answer: undefined, problem });
        // To ask again would bring the same: the page is elsewhere, or who was asked for has gone.
        if (!(problem instanceof AdminError && (problem.isRefused || problem.isGone))) this.#wait();
      },
    );
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.start(), POLL_MS);
  }

  /** Asks no more, and drops the question under way. */
  stop(): void {
    this.#asking?.abort();
    clearTimeout(this.#timer);
  }
}
