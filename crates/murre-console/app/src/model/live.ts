// One topic's numbers over a time that moves on, no denser than they can be shown.

import { type Client, Code, type Message, SubscribeError, type SubscribeOptions, type Subscription } from "murre";
import { Series } from "./series.js";

/** How much is asked for. */
export interface Extent {
  /** Seconds of the past to begin with. */
  seconds: number;
  /** Values a second that can be shown. */
  maxRate: number;
}

/** Keeps asking for a topic, with a view where the broker has views, until it is closed. */
export class Live {
  readonly series: Series;
  message: Message | undefined;
  readonly #client: Client;
  readonly #topic: string;
  #subscription: Subscription;

  constructor(client: Client, topic: string, { seconds, maxRate }: Extent) {
    this.#client = client;
    this.#topic = topic;
    this.series = new Series(1 / maxRate);
    const from = { since: Date.now() - seconds * 1000 };
    this.#subscription = this.#subscribe({ from, maxRate });
    this.#subscription.on("end", (error) => {
      // The page thins out by itself what a broker without views sends in full.
      if (error instanceof SubscribeError && error.code === Code.notSupported) {
        this.#subscription = this.#subscribe({ from });
      }
    });
  }

  #subscribe(options: SubscribeOptions): Subscription {
    const subscription = this.#client.subscribe(this.#topic, { resume: true, ...options });
    subscription.on("message", (message) => {
      this.message = message;
    });
    this.series.fillFrom(subscription);
    return subscription;
  }

  close(): void {
    void this.#subscription.close();
  }
}
