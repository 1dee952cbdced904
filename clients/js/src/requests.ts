// Requests, and the one subscription that brings the answers to all of them.

import type { Client } from "./client.js";
import { ClosedError, RequestError } from "./errors.js";
import type { Message } from "./message.js";
import type { PublishOptions } from "./options.js";
import type { Clock } from "./shell/clock.js";
import { type Deferred, deferred, onAbort } from "./shell/promises.js";
import type { Subscription } from "./subscription.js";

/** How long an answer may take where it isn't said, in milliseconds. */
const TIMEOUT = 10_000;
/** The most requests that may wait for an answer at a time. */
const REQUESTS_MAX = 65_536;
/** The property by which a responder says that its handler threw. */
export const ERROR_PROPERTY = "error";

/** What `request` takes beside topic and value. */
export interface RequestOptions extends Pick<PublishOptions, "format" | "expiry" | "properties" | "signal"> {
  /** Milliseconds that the answer may take, the way to the broker included; 10,000 where it isn't said. */
  timeout?: number;
}

/** See the top of the file. */
export class Requests {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Deferred<Message>>();
  #last = 0;
  #replies: Promise<Subscription> | undefined;

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Publishes a request and gives its answer. */
  async ask(
    topic: string,
    value: unknown,
    { timeout = TIMEOUT, signal, ...options }: RequestOptions,
  ): Promise<Message> {
    if (this.#waiting.size >= REQUESTS_MAX) {
      throw new RequestError(topic, "tooMany", `is one too many: ${REQUESTS_MAX} wait for an answer`);
    }
    this.#last += 1;
    const correlation = bytesOf(this.#last);
    const key = correlation.join();
    const answer = deferred<Message>();
    const abandon = new AbortController();
    const fail = (error: unknown) => {
      answer.reject(error);
      abandon.abort(error);
    };
    const late = () => fail(new RequestError(topic, "timeout", `got no answer within ${timeout} ms`));
    const stopTimer = this.#clock.after(timeout, late);
    const stopSignal = onAbort(signal, fail);
    this.#waiting.set(key, answer);
    this.#publish(topic, value, { ...options, correlation, signal: abandon.signal }).catch(fail);
    try {
      return checked(topic, await answer.promise);
    } finally {
      stopTimer();
      stopSignal();
      this.#waiting.delete(key);
    }
  }

  async #publish(topic: string, value: unknown, options: PublishOptions): Promise<void> {
    const replies = await this.#subscribed();
    await this.#client.publish(topic, value, { ...options, replyTo: replies.filter });
  }

  /** The subscription to answers, granted; made when it is first needed, and again after it ended. */
  #subscribed(): Promise<Subscription> {
    this.#replies ??= this.#subscribe().catch((error) => {
      this.#replies = undefined;
      throw error;
    });
    return this.#replies;
  }

  async #subscribe(): Promise<Subscription> {
    const { clientId } = await this.#client.whenConnected();
    const replies = this.#client.subscribe(`reply/${clientId}/${randomLevel()}`, { from: "live" });
    replies.on("message", (message) => this.#waiting.get(message.correlation?.join() ?? "")?.resolve(message));
    replies.on("end", (error) => this.#ended(error));
    await replies.ready;
    return replies;
  }

  #ended(error: Error | undefined): void {
    this.#replies = undefined;
    for (const answer of this.#waiting.values()) answer.reject(error ?? new ClosedError("close() was called"));
  }
}

function checked(topic: string, answer: Message): Message {
  const error = answer.properties[ERROR_PROPERTY];
  if (error !== undefined) throw new RequestError(topic, "failed", `failed at the responder: ${error}`);
  return answer;
}

/** A number as 8 bytes, the greatest first. */
function bytesOf(number: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

/** A level that nobody else can guess: 128 random bits. */
function randomLevel(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
