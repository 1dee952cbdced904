// Messages of subscriptions that the broker kept with the session and that nobody here has asked for yet.
//
// A program that starts again gets them at once, before it can subscribe. They are held until it does, within a bound;
// past it they are let go, and the connection has to be made again for the broker to send them again, as nobody has
// acknowledged them.

import { type Item, weightOf } from "./item.js";

/** Items that are held at most. */
const ITEMS_MAX = 16_384;
/** Bytes that are held at most. */
const BYTES_MAX = 32 * 1024 * 1024;
/** Subscriptions that are remembered at most. */
const SUBS_MAX = 65_536;

/** See the top of the file. */
export class Orphans {
  readonly #subs = new Map<number, Item[] | "letGo">();
  #items = 0;
  #bytes = 0;

  /** Holds one more item of `sub`. */
  hold(sub: number, item: Item): void {
    const held = this.#subs.get(sub) ?? [];
    if (held === "letGo" || (held.length === 0 && this.#subs.size >= SUBS_MAX)) return;
    const bytes = weightOf(item);
    if (this.#items >= ITEMS_MAX || this.#bytes + bytes > BYTES_MAX) {
      this.letGo(sub);
      return;
    }
    held.push(item);
    this.#subs.set(sub, held);
    this.#items += 1;
    this.#bytes += bytes;
  }

  /** Messages of `sub` are not there any more. */
  letGo(sub: number): void {
    this.take(sub);
    this.#subs.set(sub, "letGo");
  }

  /** Hands out what there is of `sub`, once. */
  take(sub: number): Item[] | "letGo" | undefined {
    const held = this.#subs.get(sub);
    this.#subs.delete(sub);
    for (const item of held === "letGo" ? [] : (held ?? [])) {
      this.#items -= 1;
      this.#bytes -= weightOf(item);
    }
    return held;
  }

  /** Forgets all. */
  clear(): void {
    this.#subs.clear();
    this.#items = 0;
    this.#bytes = 0;
  }
}
