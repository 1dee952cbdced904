// What is published under a filter, from the last values on, with the past of each topic where topics are few.

import type { Client, Message, Subscription } from "murre";
import { POINTS_MAX } from "./topic.js";
import { Topics } from "./topics.js";

/** Of more topics the past would be too much to ask for. */
const PAST_TOPICS_MAX = 250;

/** See the top of the file. It asks again by itself whenever the connection was lost. */
export class Watch {
  readonly filter: string;
  readonly topics = new Topics();
  /** The last values are all here. */
  isCaughtUp = false;
  /** Why the broker refused the filter. */
  problem = "";
  readonly #client: Client;
  readonly #now: () => number;
  readonly #live: Subscription;
  #past: Subscription | undefined;
  #hasEnded = false;

  /** `now` is the page's own clock, in milliseconds. */
  constructor(client: Client, filter: string, now = () => performance.now()) {
    this.filter = filter;
    this.#client = client;
    this.#now = now;
    this.#live = client.subscribe(filter, { from: "last", onSlow: "conflate", resume: true });
    this.#live.on("message", (message) => this.#take(message));
    this.#live.on("restarted", () => {
      this.isCaughtUp = false;
    });
    this.#live.on("caughtUp", ({ count }) => this.#caughtUp(count));
    this.#live.on("end", (error) => {
      this.problem = error?.message ?? "";
    });
  }

  #take(message: Message): void {
    this.topics.take(message, this.#now(), message.retained || !this.isCaughtUp);
  }

  #caughtUp(count: number): void {
    this.isCaughtUp = true;
    if (this.#past || this.#hasEnded || count === 0 || count > PAST_TOPICS_MAX) return;
    this.#askForPast();
  }

  #askForPast(): void {
    const byTopic = new Map<string, Message[]>();
    const past = this.#client.subscribe(this.filter, { from: { last: POINTS_MAX } });
    this.#past = past;
    past.on("message", (message) => {
      const messages = byTopic.get(message.topic);
      if (messages) messages.push(message);
      else byTopic.set(message.topic, [message]);
    });
    past.on("restarted", () => byTopic.clear());
    past.on("caughtUp", () => {
      for (const [name, messages] of byTopic) this.topics.get(name)?.prepend(messages);
      void past.close();
    });
  }

  close(): void {
    this.#hasEnded = true;
    void this.#live.close();
    void this.#past?.close();
  }
}
