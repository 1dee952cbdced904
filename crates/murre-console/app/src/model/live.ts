// One field of a topic over a time that moves on, no denser than it can be shown.

import { type Client, Code, type Message, SubscribeError, type SubscribeOptions, type Subscription } from "murre";
import { type Density, pointsPerSecond, viewFor } from "./density.js";
import { Series } from "./series.js";

/** What is asked for. */
export interface Wanted {
  /** A topic; a filter with wildcards stands for the first topic that comes under it. */
  topic: string;
  /** The numbers that windows are of. */
  paths: readonly string[];
  /** Seconds of the past to begin with. */
  seconds: number;
  density: Density;
}

/** Values a second of which the newest is shown beside windows. */
const NEWEST_RATE = 2;

/** Keeps asking for a topic, with a view where the broker has views, until it is closed. */
export class Live {
  readonly series: Series;
  /** The newest one. */
  message: Message | undefined;
  readonly #client: Client;
  readonly #wanted: Wanted;
  /** Of a filter with wildcards: the first one that came. */
  #topic: string | undefined;
  #density: Density;
  #subscription: Subscription;
  /** A window comes when it is over: what is now is asked for beside it. */
  readonly #newest: Subscription | undefined;
  /** Milliseconds by which this computer's clock is ahead of the broker's, at most. */
  #ahead = Number.POSITIVE_INFINITY;

  constructor(client: Client, wanted: Wanted) {
    const { topic, paths, density } = wanted;
    this.#client = client;
    this.#wanted = wanted;
    this.#density = density;
    this.series = new Series(1 / pointsPerSecond(density), paths);
    const from = { since: Date.now() - wanted.seconds * 1000 };
    this.#subscription = this.#fill({ from, ...viewFor(density, paths) });
    if ("windowSeconds" in density)
      this.#newest = client.subscribe(topic, { from: "last", maxRate: NEWEST_RATE, resume: true });
    this.#follow(this.#newest ?? this.#subscription);
    this.#subscription.on("end", (error) => {
      if (!(error instanceof SubscribeError && error.code === Code.notSupported)) return;
      // The page thins out by itself what a broker without views sends in full.
      this.#subscription = this.#fill({ from });
      this.#follow(this.#subscription);
    });
  }

  /** The broker's time now, in Unix milliseconds: what plots end at, and ages are counted to. */
  now(): number {
    const ours = Date.now();
    return Number.isFinite(this.#ahead) ? ours - this.#ahead : Math.max(ours, this.message?.time ?? 0);
  }

  /** Milliseconds since the last message; undefined where none has come. */
  get age(): number | undefined {
    return this.message && Math.max(0, this.now() - this.message.time);
  }

  /** Whether the next message is overdue, by how they came before. */
  get isStale(): boolean {
    return (this.age ?? 0) / 1000 > this.series.silenceMax;
  }

  /** Asks for another density from now on; what came before stays as it is. */
  show(density: Density): void {
    if (JSON.stringify(density) === JSON.stringify(this.#density)) return;
    this.#density = density;
    this.series.step = 1 / pointsPerSecond(density);
    const { window = null, onError = null, maxRate = null } = viewFor(density, this.#wanted.paths);
    // Refused where the broker has no views, or the connection goes: then the old one holds, which is good enough.
    this.#subscription.update({ window, maxRate, onError }).catch(() => undefined);
  }

  #fill(options: SubscribeOptions): Subscription {
    const subscription = this.#client.subscribe(this.#wanted.topic, { resume: true, ...options });
    this.series.fillFrom(subscription, (message) => this.#isMine(message));
    return subscription;
  }

  #follow(subscription: Subscription): void {
    let isPast = true;
    subscription.on("message", (message) => {
      if (!this.#isMine(message)) return;
      this.message = message;
      if (!isPast) this.#ahead = Math.min(this.#ahead, Date.now() - message.time);
    });
    subscription.on("caughtUp", () => {
      isPast = false;
    });
  }

  #isMine({ topic }: Message): boolean {
    this.#topic ??= topic;
    return topic === this.#topic;
  }

  close(): void {
    void this.#subscription.close();
    void this.#newest?.close();
  }
}
