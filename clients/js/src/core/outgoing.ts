// The outgoing publishes: waiting, and sent but not answered.
//
// Pure: packets go in as bytes with a way to settle them, frames come out. Methods are of three kinds: the
// application's (push, remove), the connection's (take, connectionLost, answered), and the end (drain).

import { Deque } from "./deque.js";
import type { Frame } from "./frame.js";

/** The bounds of what waits to be sent, and what happens when that is full. */
export interface Buffer {
  /** How many publishes may wait; 10,000 where it isn't said. */
  messages: number;
  /** How many bytes of packets may wait; 8 MiB where it isn't said. A larger message is refused. */
  bytes: number;
  /**
   * How many acknowledged publishes may be sent and not answered; 1,024 where it isn't said. They are kept beside the
   * buffer, in as many bytes again, and sent again on a new connection.
   */
  inFlight: number;
  /**
   * "dropOldest" (where it isn't said): the oldest waiting publishes go, so that the newest readings get through.
   * "dropNewest": the new publish isn't taken.
   */
  whenFull: "dropOldest" | "dropNewest";
}

/** What became of a publish. */
export type Outcome =
  | { kind: "accepted"; position: number }
  | { kind: "refused"; code: number; reason: string }
  | { kind: "dropped" }
  | { kind: "tooLarge"; bytes: number; max: number }
  | { kind: "closed" };

/** A publish on its way. */
export interface Outbound {
  /** The number that the broker answers with; 0 where no answer is wanted. */
  id: number;
  /** The whole packet. */
  packet: Uint8Array;
  /** Told once what became of it; of an unacknowledged publish only where it was not sent. */
  settle: (outcome: Outcome) => void;
}

/** What became of a push: how many others had to go for it, or why it was not taken. */
export type Push = number | "full" | "tooLarge";

/** See the top of the file. */
export class Outgoing {
  readonly #limits: Buffer;
  readonly #waiting = new Deque<Outbound>();
  #waitingBytes = 0;
  /** Acknowledged publishes that were sent on this connection or an earlier one, in the order of sending. */
  readonly #unanswered = new Map<number, Outbound>();
  #unansweredBytes = 0;
  /** Those of them that were not sent on this connection. */
  readonly #again = new Deque<Outbound>();

  constructor(limits: Buffer) {
    this.#limits = limits;
  }

  /** Takes a publish into the buffer, by the buffer's rule. */
  push(outbound: Outbound): Push {
    const bytes = outbound.packet.length;
    if (bytes > this.#limits.bytes) return "tooLarge";
    let dropped = 0;
    while (!this.#hasRoom(bytes)) {
      if (this.#limits.whenFull === "dropNewest") return "full";
      this.#shift()?.settle({ kind: "dropped" });
      dropped += 1;
    }
    this.#waiting.push(outbound);
    this.#waitingBytes += bytes;
    return dropped;
  }

  #hasRoom(bytes: number): boolean {
    const { messages, bytes: max } = this.#limits;
    return this.#waiting.length === 0 || (this.#waiting.length < messages && this.#waitingBytes + bytes <= max);
  }

  #shift(): Outbound | undefined {
    const oldest = this.#waiting.shift();
    this.#waitingBytes -= oldest?.packet.length ?? 0;
    return oldest;
  }

  /** The application no longer wants it to be sent; whether it was still waiting. */
  remove(outbound: Outbound): boolean {
    const removed = this.#waiting.remove(outbound);
    if (removed) this.#waitingBytes -= outbound.packet.length;
    return removed;
  }

  /**
   * Writes what is to be sent next: first what was sent on an earlier connection, then what waits. Gives how many were
   * let go because the broker doesn't take packets of their size.
   */
  take(frame: Frame): number {
    return this.#takeAgain(frame) + (this.#again.length === 0 ? this.#takeWaiting(frame) : 0);
  }

  #takeAgain(frame: Frame): number {
    let tooLarge = 0;
    for (let next = this.#again.peek(); next; next = this.#again.peek()) {
      const isWanted = this.#unanswered.has(next.id);
      if (isWanted && next.packet.length > frame.packetMax) {
        this.answered(next.id);
        tooLarge += refuse(next, frame);
      } else if (isWanted) {
        if (!frame.offer(next.packet)) break;
      }
      this.#again.shift();
    }
    return tooLarge;
  }

  #takeWaiting(frame: Frame): number {
    let tooLarge = 0;
    for (let next = this.#waiting.peek(); next; next = this.#waiting.peek()) {
      if (next.packet.length > frame.packetMax) {
        this.#shift();
        tooLarge += refuse(next, frame);
        continue;
      }
      const isAcknowledged = next.id !== 0;
      if (!frame.fits(next.packet.length) || (isAcknowledged && !this.#mayFly(next.packet.length))) break;
      this.#shift();
      frame.add(next.packet);
      if (isAcknowledged) {
        this.#unanswered.set(next.id, next);
        this.#unansweredBytes += next.packet.length;
      }
    }
    return tooLarge;
  }

  /** Whether one more acknowledged publish may be on its way. One always may, however large. */
  #mayFly(bytes: number): boolean {
    if (this.#unanswered.size === 0) return true;
    return this.#unanswered.size < this.#limits.inFlight && this.#unansweredBytes + bytes <= this.#limits.bytes;
  }

  /** The connection is gone: what has no answer is to be sent again. */
  connectionLost(): void {
    this.#again.drain();
    for (const outbound of this.#unanswered.values()) this.#again.push(outbound);
  }

  /** The broker answered; the publish, where it is known. */
  answered(id: number): Outbound | undefined {
    const outbound = this.#unanswered.get(id);
    if (!outbound) return undefined;
    this.#unanswered.delete(id);
    this.#unansweredBytes -= outbound.packet.length;
    return outbound;
  }

  /** How many publishes are not known to be through. */
  get pending(): number {
    return this.#waiting.length + this.#unanswered.size;
  }

  /** Settles everything as closed, oldest first: nothing will be sent any more. */
  drain(): void {
    const all = [...this.#unanswered.values(), ...this.#waiting.drain()];
    this.#unanswered.clear();
    this.#again.drain();
    this.#waitingBytes = 0;
    this.#unansweredBytes = 0;
    for (const outbound of all) outbound.settle({ kind: "closed" });
  }
}

function refuse(outbound: Outbound, frame: Frame): number {
  outbound.settle({ kind: "tooLarge", bytes: outbound.packet.length, max: frame.packetMax });
  return 1;
}
