// Who is online.

import type { Message } from "./message.js";
import type { Subscription } from "./subscription.js";

/** Where the broker tells of clients; the client's id is the last level. */
const TOPIC_PREFIX = "$murre/clients/";

/** Whether a client is there, and since when. */
export interface Presence {
  clientId: string;
  state: "online" | "offline";
  /** When it came or went, in Unix milliseconds. */
  since: number;
  /** Why it went, where the broker says so. */
  reason: string | undefined;
}

/** The filter for the presence of a client, or of all: "+". */
export function presenceFilter(clientId: string): string {
  return `${TOPIC_PREFIX}${clientId}`;
}

/** From a message on `$murre/clients/<client id>`; undefined where it is none. */
function presenceOf(message: Message): Presence | undefined {
  let value: unknown;
  try {
    value = message.value;
  } catch {
    return undefined;
  }
  const { state, since, reason } = (value ?? {}) as Record<string, unknown>;
  if ((state !== "online" && state !== "offline") || typeof since !== "number") return undefined;
  const clientId = message.topic.slice(TOPIC_PREFIX.length);
  return { clientId, state, since, reason: typeof reason === "string" ? reason : undefined };
}

/** The presence of one client or all, as it is and as it changes. */
export class PresenceStream implements AsyncIterable<Presence> {
  /** The subscription behind it, for its events, its end and its errors. */
  readonly subscription: Subscription;

  constructor(subscription: Subscription) {
    this.subscription = subscription;
  }

  /** Calls `listener` with each presence; gives what takes it off. */
  on(_name: "presence", listener: (presence: Presence) => unknown): () => void {
    return this.subscription.on("message", (message) => {
      const presence = presenceOf(message);
      return presence && listener(presence);
    });
  }

  /** One after the other. Leaving the loop ends the subscription. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Presence, void, undefined> {
    for await (const message of this.subscription) {
      const presence = presenceOf(message);
      if (presence) yield presence;
    }
  }

  /** Resolves when all that is known already has come: true, or false where it ended first. */
  caughtUp(): Promise<boolean> {
    return this.subscription.caughtUp();
  }

  /** Ends it. */
  close(): Promise<void> {
    return this.subscription.close();
  }
}
