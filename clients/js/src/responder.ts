// Answering requests.

import type { Client } from "./client.js";
import { messageOf } from "./errors.js";
import type { Message } from "./message.js";
import type { Format } from "./protocol/payload.js";
import { ERROR_PROPERTY } from "./requests.js";
import type { Subscription } from "./subscription.js";

/** Requests that are handled at a time where it isn't said. */
const CONCURRENCY = 16;

/** What `respond` takes beside filter and handler. */
export interface RespondOptions {
  /** How the answers become payloads; see PublishOptions. */
  format?: Format;
  /** How many requests are handled at a time; 16 where it isn't said. The others wait in the subscription's queue. */
  concurrency?: number;
  /** How many requests wait here; see SubscribeOptions. */
  queue?: number;
  /** Ends it when it is aborted. */
  signal?: AbortSignal;
}

/** Gives the answer to a request, or a promise of it. */
export type Responder<T> = (request: Message<T>) => unknown;

/** Handles what comes, so many at a time, until the subscription ends. */
export function respondTo<T>(
  client: Client,
  subscription: Subscription<T>,
  responder: Responder<T>,
  { format, concurrency = CONCURRENCY }: RespondOptions,
): void {
  const requests = subscription[Symbol.asyncIterator]();
  const work = async () => {
    for (;;) {
      const { done, value: request } = await requests.next();
      if (done) return;
      if (request.replyTo !== undefined) await answer(client, request, responder, format);
    }
  };
  // Why the subscription ended is said by the subscription; a client that has ended says so itself.
  for (let n = 0; n < Math.max(1, concurrency); n++) work().catch(() => {});
}

async function answer<T>(
  client: Client,
  request: Message<T>,
  responder: Responder<T>,
  format: Format | undefined,
): Promise<void> {
  try {
    const value = (await responder(request)) ?? null;
    await client.reply(request, value, format && { format });
  } catch (error) {
    // Whoever asked is told, rather than left waiting; what can't even be told is the timeout's.
    const properties = { [ERROR_PROPERTY]: messageOf(error) };
    await client.reply(request, new Uint8Array(), { properties }).catch(() => {});
  }
}
