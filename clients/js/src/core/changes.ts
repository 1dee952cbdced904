// Changes of a subscription's options while it runs: one on its way at a time, and one that gathers what is wanted
// meanwhile.

import type { WireOptions } from "../protocol/to_broker.js";

/** Told what became of a change: nothing where it is in force, else why not. */
export type ChangeSettled = (error: Error | undefined) => void;

interface Change {
  options: WireOptions;
  settled: ChangeSettled[];
}

/** See the top of the file. */
export class Changes {
  #sent: Change | undefined;
  #wanted: Change | undefined;

  /** Wants options to change; what isn't named stays. */
  want(options: WireOptions, settled: ChangeSettled): void {
    this.#wanted = {
      options: { ...this.#wanted?.options, ...options },
      settled: [...(this.#wanted?.settled ?? []), settled],
    };
  }

  /** The options that are to be sent now; undefined where there are none, or an answer is awaited. */
  get due(): WireOptions | undefined {
    return this.#sent ? undefined : this.#wanted?.options;
  }

  /** Whether an answer is awaited. */
  get isSent(): boolean {
    return this.#sent !== undefined;
  }

  /** What is due is on its way. */
  sent(): void {
    this.#sent = this.#wanted;
    this.#wanted = undefined;
  }

  /** The broker answered; gives the options that are in force now, none where it refused. */
  answered(error: Error | undefined): WireOptions | undefined {
    const sent = this.#sent;
    this.#sent = undefined;
    for (const settled of sent?.settled ?? []) settled(error);
    return error ? undefined : sent?.options;
  }

  /** The connection is gone, and with it the answer: to be sent again, below what was wanted later. */
  connectionLost(): void {
    const { options, settled } = this.#sent ?? { options: {}, settled: [] };
    if (settled.length === 0) return;
    this.#sent = undefined;
    this.#wanted = {
      options: { ...options, ...this.#wanted?.options },
      settled: [...settled, ...(this.#wanted?.settled ?? [])],
    };
  }

  /** The subscription has ended. */
  end(error: Error): void {
    for (const settled of [...(this.#sent?.settled ?? []), ...(this.#wanted?.settled ?? [])]) settled(error);
    this.#sent = undefined;
    this.#wanted = undefined;
  }
}
