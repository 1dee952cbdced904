// Which acknowledgements the broker has to be told. An acknowledgement is cumulative for its shard, so only the newest
// of each shard is ever sent: however many messages were handled since the last frame, one ACK says it.

import { ackPacket } from "../protocol/to_broker.js";
import type { Frame } from "./frame.js";
import { raise } from "./resume.js";

interface Acknowledged {
  /** The newest of each shard. */
  positions: number[];
  /** Those that were not sent on this connection. */
  due: number[];
}

/** See the top of the file. */
export class Acks {
  readonly #subs = new Map<number, Acknowledged>();
  readonly #due = new Set<number>();

  /** A message of `sub` was handled, and all before it; whether the broker has to be told. */
  acknowledge(sub: number, position: number): boolean {
    let acknowledged = this.#subs.get(sub);
    if (!acknowledged) {
      acknowledged = { positions: [], due: [] };
      this.#subs.set(sub, acknowledged);
    }
    if (!raise(acknowledged.positions, position)) return false;
    raise(acknowledged.due, position);
    this.#due.add(sub);
    return true;
  }

  /** Writes what is due, as long as the frame has room. */
  take(frame: Frame): void {
    for (const sub of this.#due) {
      const due = this.#subs.get(sub)?.due ?? [];
      for (let position = due.at(-1); position !== undefined; position = due.at(-1)) {
        if (!frame.offer(ackPacket(sub, position))) return;
        due.pop();
      }
      this.#due.delete(sub);
    }
  }

  /** Whether the broker has to be told something. */
  get isDue(): boolean {
    return this.#due.size > 0;
  }

  /** The session goes on over a new connection. What was sent on the old one may not have arrived. */
  repeat(): void {
    for (const [sub, acknowledged] of this.#subs) {
      acknowledged.due = [...acknowledged.positions];
      this.#due.add(sub);
    }
  }

  /** Nothing that was acknowledged for `sub` means anything any longer. */
  forget(sub: number): void {
    this.#subs.delete(sub);
    this.#due.delete(sub);
  }

  /** As `forget`, for all. */
  forgetAll(): void {
    this.#subs.clear();
    this.#due.clear();
  }
}
