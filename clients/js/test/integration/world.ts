// What a scenario has around it. Nothing here needs Node: scenarios run in a browser, too.

import { type Client, type ConnectOptions, connect, type Message, type Subscription } from "../../src/index.js";

/** What a scenario can do to the broker and the way to it. */
export interface Network {
  start(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
  cut(): Promise<void>;
  stall(): Promise<void>;
}

export class World {
  readonly url: string;
  readonly network: Network;
  readonly #clients: Client[] = [];

  constructor(url: string, network: Network) {
    this.url = url;
    this.network = network;
  }

  /** A client of the scenario's own, which is closed with it. */
  client(options: ConnectOptions = {}): Client {
    const client = connect(this.url, { backoff: { max: 500 }, closeTimeout: 0, ...options });
    this.#clients.push(client);
    return client;
  }

  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/** The next messages of a subscription, which goes on. */
export async function take<T>(subscription: Subscription<T>, count: number): Promise<Message<T>[]> {
  const reader = subscription[Symbol.asyncIterator]();
  const messages: Message<T>[] = [];
  while (messages.length < count) {
    const { done, value } = await reader.next();
    if (done) throw new Error(`the subscription ended after ${messages.length} of ${count} messages`);
    messages.push(value);
  }
  return messages;
}

/** The values of messages. */
export function values(messages: Message[]): unknown[] {
  return messages.map(({ value }) => value);
}

/** Waits until the client is in a state of that name. */
export function reaches(client: Client, name: Client["state"]["name"]): Promise<void> {
  return new Promise((resolve) => {
    if (client.state.name === name) resolve();
    client.on("state", (state) => state.name === name && resolve());
  });
}

/** Compares by value. */
export function same(actual: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (left !== right) throw new Error(`expected ${right}, got ${left}`);
}

/** What `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: number; kind?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was not rejected");
}

/** The numbers from 0. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
