// What is known of one topic: filled by every message, read by what is drawn a few times a second. No document.

import type { Message } from "murre";
import { decimalsOf, numbersOf, Rate } from "../../../page/figures.js";
import { distancesOf, silenceMax } from "./silence.js";

/** Points of a sparkline, and messages that are asked for to begin it. */
export const POINTS_MAX = 80;
/** Messages remembered of each topic. */
const RECENT_MAX = 10;
/** A point stands for so long by the broker's clock, at the newest value of that time. */
const POINT_MS = 250;
/** Messages further apart than this have their rate from the time between two. */
const RARE_MS = 2500;

type Numbers = [path: string, value: number][];

/** A message's value; undefined where the payload isn't what its format says. */
export function valueIn(message: Message): unknown {
  try {
    return message.value;
  } catch {
    return undefined;
  }
}

/** One topic: its last messages, its rate, its points. Times named `now` and `arrived` are of the page's own clock. */
export class Topic {
  readonly name: string;
  arrived = Number.NEGATIVE_INFINITY;
  /** When it last changed under the viewer's eyes, and not by what was published before. */
  changed = Number.NEGATIVE_INFINITY;
  /** The last messages, the newest first. */
  readonly recent: Message[] = [];
  /** The most decimals that its first number has shown, so that the number stands still in its column. */
  decimals = 0;
  #points: number[] = [];
  #pointAt = Number.NEGATIVE_INFINITY;
  /** What a snapshot brings is decoded when it is looked at: of 100,000 topics few ever are. */
  #undrawn: Message | undefined;
  #numbers: Numbers | undefined;
  #interval: number | undefined;
  #isLive = false;
  readonly #rate = new Rate();

  constructor(name: string) {
    this.name = name;
  }

  get message(): Message | undefined {
    return this.recent[0];
  }

  /** The numbers in the newest payload with their paths: the first few. */
  get numbers(): Numbers {
    this.#numbers ??= this.message ? (numbersOf(valueIn(this.message)) as Numbers) : [];
    return this.#numbers;
  }

  /** The first number of the last messages, the newest last. */
  get points(): readonly number[] {
    this.#draw();
    return this.#points;
  }

  #draw(): void {
    const waiting = this.#undrawn;
    this.#undrawn = undefined;
    if (waiting) this.#point(waiting);
  }

  /** Messages a second; null while that isn't known. */
  rate(now: number): number | null {
    if (this.#interval === undefined) return null;
    if (this.#interval > RARE_MS) return 1000 / Math.max(this.#interval, now - this.arrived);
    return this.#rate.perSecond(now);
  }

  /** Whether the next message is overdue, by how the last ones came; looked at for what is drawn. */
  isStale(now: number): boolean {
    const seconds = this.recent.map(({ time }) => time / 1000);
    return (now - this.arrived) / 1000 > silenceMax(distancesOf(seconds));
  }

  /**
   * Takes a message in, the newest of `count`. `isPast`: it was published before this page asked, `age` milliseconds
   * ago.
   */
  take(message: Message, now: number, isPast: boolean, { age = 0, count = 1 } = {}): void {
    const isKnown = this.message?.position === message.position && this.message.time === message.time;
    if (isKnown) return;
    this.#numbers = undefined;
    this.recent.unshift(message);
    if (this.recent.length > RECENT_MAX) this.recent.pop();
    this.#draw();
    if (isPast) {
      this.arrived = now - Math.max(0, age);
      this.#undrawn = message;
      return;
    }
    if (this.#isLive) this.#interval = now - this.arrived;
    this.#isLive = true;
    this.arrived = now;
    this.changed = now;
    this.#rate.count(now, count);
    this.#point(message);
  }

  /** Puts messages that were published before all that came in front, the oldest first. */
  prepend(past: readonly Message[]): void {
    const oldest = this.recent.at(-1);
    const before = past.filter(({ position }) => oldest === undefined || position < oldest.position);
    if (before.length === 0) return;
    const points = this.points;
    this.recent.push(...before.slice(-RECENT_MAX).reverse());
    this.recent.splice(RECENT_MAX);
    const pointAt = this.#pointAt;
    this.#points = [];
    this.#pointAt = Number.NEGATIVE_INFINITY;
    for (const message of before) this.#point(message);
    this.#points = [...this.#points, ...points].slice(-POINTS_MAX);
    this.#pointAt = Math.max(this.#pointAt, pointAt);
  }

  #point(message: Message): void {
    const first = (numbersOf(valueIn(message)) as Numbers)[0];
    if (!first) return;
    const [, number] = first;
    this.decimals = Math.max(this.decimals, decimalsOf(number));
    if (Math.abs(message.time - this.#pointAt) < POINT_MS) {
      this.#points[this.#points.length - 1] = number;
      return;
    }
    this.#pointAt = message.time;
    this.#points.push(number);
    if (this.#points.length > POINTS_MAX) this.#points.shift();
  }
}
