// Puts messages of a subscription with `patch` together again: the whole value of each topic.

import type { WireMessage } from "../protocol/from_broker.js";
import { decodePayload, formatOf } from "../protocol/payload.js";
import { mergePatch } from "./merge_patch.js";

/** Topics whose value is remembered at most. */
const TOPICS_MAX = 65_536;

/** What a message stands for: as it came, the whole value, or nothing, as the value that it changes isn't known. */
export type Whole = { kind: "asIs" } | { kind: "value"; value: unknown } | { kind: "unknown" };

/** The last whole value of each topic. */
export class Patches {
  readonly #values = new Map<string, unknown>();
  readonly #topicsMax: number;

  constructor(topicsMax = TOPICS_MAX) {
    this.#topicsMax = topicsMax;
  }

  /** Takes a message in the order of the subscription. */
  apply(message: WireMessage): Whole {
    const isPatch = message.options?.patch === true;
    try {
      const value = decodePayload(message.payload, formatOf(message.format));
      return isPatch ? this.#patched(message.topic, value) : this.#whole(message.topic, value);
    } catch {
      this.#values.delete(message.topic);
      return { kind: isPatch ? "unknown" : "asIs" };
    }
  }

  #whole(topic: string, value: unknown): Whole {
    if (this.#values.has(topic) || this.#values.size < this.#topicsMax) this.#values.set(topic, value);
    return { kind: "asIs" };
  }

  #patched(topic: string, patch: unknown): Whole {
    if (!this.#values.has(topic)) return { kind: "unknown" };
    const value = mergePatch(this.#values.get(topic), patch);
    this.#values.set(topic, value);
    return { kind: "value", value };
  }

  /** The broker begins with whole values again. */
  clear(): void {
    this.#values.clear();
  }
}
