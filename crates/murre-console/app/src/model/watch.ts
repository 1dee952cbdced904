// What is published under a filter, from the last values on, with the past of each topic where topics are few.

import type { Client, Message, Subscription } from "murre";
import { Intake } from "./intake.js";
import { POINTS_MAX } from "./topic.js";
import { Topics } from "./topics.js";

/** Messages a second of each topic: past what is seen of a list that is drawn four times a second. */
export const WATCH_RATE = 10;
/** A broker remembers 10,000 topics of a view, and leaves out what further ones say: more than these come in full. */
const THINNED_TOPICS_MAX = 5000;
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
  /** No topic comes more often than WATCH_RATE. */
  isThinned = false;
  readonly #client: Client;
  readonly #intake: Intake;
  #live: Subscription;
  #past: Subscription | undefined;
  #hasEnded = false;

  /** `now` is the page's own clock, in milliseconds. */
  constructor(client: Client, filter: string, now = () => performance.now()) {
    this.filter = filter;
    this.#client = client;
    this.#intake = new Intake(({ message, isPast, count }) => this.topics.take(message, now(), isPast, count), now);
    this.#live = this.#subscribe();
  }

  #subscribe(): Subscription {
    const live = this.#client.subscribe(this.filter, { from: "last", onSlow: "conflate", resume: true });
    live.on("message", (message) => this.#take(message));
    live.on("restarted", () => {
      this.isCaughtUp = false;
    });
    live.on("caughtUp", ({ count }) => this.#caughtUp(count));
    live.on("end", (error) => {
      this.problem = error?.message ?? "";
    });
    return live;
  }

  #take(message: Message): void {
    this.#intake.add(message, message.retained || !this.isCaughtUp);
    if (this.isThinned && this.topics.size > THINNED_TOPICS_MAX) this.#beginInFull();
  }

  /** Many topics have come at once: of some that the broker left out the last values are asked for again. */
  #beginInFull(): void {
    this.isThinned = false;
    this.isCaughtUp = false;
    const thinned = this.#live;
    this.#live = this.#subscribe();
    void thinned.close();
  }

  #caughtUp(count: number): void {
    this.isCaughtUp = true;
    if (count <= PAST_TOPICS_MAX) this.#intake.flush();
    if (Math.max(count, this.topics.size) <= THINNED_TOPICS_MAX && !this.isThinned) this.#thin();
    if (this.#past || this.#hasEnded || count === 0 || count > PAST_TOPICS_MAX) return;
    this.#askForPast();
  }

  #thin(): void {
    this.isThinned = true;
    this.#live.update({ maxRate: WATCH_RATE }).catch(() => {
      this.isThinned = false; // A broker without views sends all.
    });
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
