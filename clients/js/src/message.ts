// A message as an application gets it.

import { DecodeError } from "./errors.js";
import type { WireMessage } from "./protocol/from_broker.js";
import { decodePayload, encodePayload, type Format, formatOf } from "./protocol/payload.js";

/** A payload that takes at least this share of the WebSocket message that it came in isn't copied out of it. */
const SHARE_KEPT = 0.25;

/** A message of a subscription. T is what the application expects its value to be; it isn't checked. */
export class Message<T = unknown> {
  /** Where it was published. */
  readonly topic: string;
  /** How the payload is to be read. */
  readonly format: Format;
  /** When the broker took it, in Unix milliseconds. */
  readonly time: number;
  /** Its position in the broker's order. */
  readonly position: number;
  /** Whether it is a kept value of a snapshot, and not live. */
  readonly retained: boolean;
  /** When the reading was taken, in Unix milliseconds, where its publisher said so. */
  readonly sourceTime: number | undefined;
  /** Where an answer is awaited. */
  readonly replyTo: string | undefined;
  /** What an answer has to hand back. */
  readonly correlation: Uint8Array | undefined;
  /** The publisher's own: names to strings. */
  readonly properties: Readonly<Record<string, string>>;
  /** Seconds after which it is of no use. */
  readonly expiry: number | undefined;
  #payload: Uint8Array | undefined;
  #value: unknown;
  #hasValue = false;
  /** The value belongs to others, too: whoever asks gets a copy. */
  readonly #shared: { value: unknown } | undefined;
  readonly #acknowledge: (() => void) | undefined;

  /** `shared`: the value that a patch stands for; without it the payload has the value. */
  constructor(wire: WireMessage, acknowledge?: () => void, shared?: { value: unknown }) {
    const { topic, format, time, position, options = {} } = wire;
    this.topic = topic;
    this.format = formatOf(format);
    this.time = time;
    this.position = position;
    this.retained = options.retain === true;
    this.sourceTime = options.time;
    this.replyTo = options.replyTo;
    this.correlation = options.correlation?.slice();
    this.properties = (options.properties ?? {}) as Record<string, string>;
    this.expiry = options.expiry;
    this.#shared = shared;
    this.#payload = shared ? undefined : ownBytes(wire.payload);
    this.#acknowledge = acknowledge;
  }

  /** The payload's bytes. */
  get payload(): Uint8Array {
    this.#payload ??= encodePayload(this.#shared?.value, this.format).bytes;
    return this.#payload;
  }

  /**
   * The payload's value: of JSON and MessagePack what they say (undefined of an empty payload, which stands for a deleted
   * topic), of text a string, else the bytes. Throws DecodeError.
   */
  get value(): T {
    if (!this.#hasValue) {
      this.#value = this.#shared ? structuredClone(this.#shared.value) : this.#decoded();
      this.#hasValue = true;
    }
    return this.#value as T;
  }

  /** How old it is, in milliseconds, at `now` by the broker's clock: `client.brokerTime`. */
  age(now: number): number {
    return Math.max(0, now - this.time);
  }

  #decoded(): unknown {
    if (this.payload.length === 0 && (this.format === "json" || this.format === "msgpack")) return undefined;
    try {
      return decodePayload(this.payload, this.format);
    } catch (cause) {
      throw new DecodeError(this.topic, this.format, cause);
    }
  }

  /**
   * Acknowledges this message and all before it of the same shard, so of the same topic. Does nothing unless the
   * subscription has `ack`.
   */
  ack(): void {
    this.#acknowledge?.();
  }
}

/** A small payload must not keep alive the whole WebSocket message that it came in, which may have 256 KiB. */
function ownBytes(payload: Uint8Array): Uint8Array {
  return payload.length >= payload.buffer.byteLength * SHARE_KEPT ? payload : payload.slice();
}
