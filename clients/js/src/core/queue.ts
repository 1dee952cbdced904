// What waits for the reader of a subscription, within a bound.

import { Deque } from "./deque.js";
import type { Item } from "./item.js";

/** How many items that are no messages may wait. */
const MARKS_MAX = 64;

/** The bounds of a queue. */
export interface QueueBounds {
  messages: number;
  bytes: number;
}

interface Queued<M> {
  item: Item<M>;
  bytes: number;
}

/** Items in order, the oldest of which go when there are too many. */
export class Queue<M> {
  readonly #bounds: QueueBounds;
  readonly #items = new Deque<Queued<M>>();
  #messages = 0;
  #bytes = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Whether an item that counts for `bytes` has room without another's going. */
  hasRoom({ kind }: Item<unknown>, bytes: number): boolean {
    if (kind !== "message") return this.length - this.#messages < MARKS_MAX;
    return this.#messages < this.#bounds.messages && this.#bytes + bytes <= this.#bounds.bytes;
  }

  /** Adds an item that counts for `bytes`; gives those that had to go for it, oldest first. */
  push(item: Item<M>, bytes: number): Item<M>[] {
    const gone: Item<M>[] = [];
    while (this.length > 0 && !this.hasRoom(item, bytes)) gone.push(this.shift() as Item<M>);
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    if (item.kind === "message") this.#messages += 1;
    return gone;
  }

  /** Takes the oldest. */
  shift(): Item<M> | undefined {
    const oldest = this.#items.shift();
    this.#bytes -= oldest?.bytes ?? 0;
    if (oldest?.item.kind === "message") this.#messages -= 1;
    return oldest?.item;
  }

  /** Lets everything go. */
  clear(): void {
    this.#items.drain();
    this.#messages = 0;
    this.#bytes = 0;
  }
}
