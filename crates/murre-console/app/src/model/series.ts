// The numbers of one topic's payloads over time, each under its path.

import type { Message, Subscription } from "murre";
import { valueIn } from "./topic.js";

/** Messages whose numbers are kept, and that are asked for to begin with. */
export const SERIES_POINTS_MAX = 2000;
/** Fields that are followed; a payload with more is no reading. */
const FIELDS_MAX = 12;
const DEPTH_MAX = 4;

/** Seconds since 1970, rising, and for each field a value or null at each of them: as uPlot takes it. */
export class Series {
  readonly times: number[] = [];
  readonly fields = new Map<string, (number | null)[]>();
  /** Changes with every message. */
  version = 0;
  readonly #step: number;
  /** Where the time begins for which the last point stands. */
  #slot = Number.NEGATIVE_INFINITY;

  /** `step`: seconds for which a point stands, at the newest value of that time. */
  constructor(step = 0) {
    this.#step = step;
  }

  /** Takes a message in. `isReplay`: it may be here already, and is left out if it isn't newer than all that is. */
  add(message: Message, isReplay = false): void {
    const seconds = message.time / 1000;
    const newest = this.times.at(-1) ?? 0;
    if (isReplay && seconds <= newest) return;
    const found = new Map<string, number>();
    collect(valueIn(message), "", 0, found);
    if (found.size === 0) return;
    if (this.#step > 0 && seconds - this.#slot < this.#step) this.#takeBack();
    else this.#slot = seconds;
    this.#makeRoom();
    this.version += 1;
    this.times.push(Math.max(seconds, newest));
    for (const path of found.keys()) this.#follow(path);
    for (const [path, values] of this.fields) values.push(found.get(path) ?? null);
  }

  /** Takes in what comes to a subscription that resumes. */
  fillFrom(subscription: Subscription): void {
    let isReplay = false;
    subscription.on("message", (message) => this.add(message, isReplay));
    // A broker without a store keeps less than this page has, so that nothing is let go.
    subscription.on("restarted", () => {
      isReplay = true;
    });
    subscription.on("caughtUp", () => {
      isReplay = false;
    });
  }

  #follow(path: string): void {
    if (this.fields.has(path) || this.fields.size >= FIELDS_MAX) return;
    this.fields.set(path, new Array(this.times.length - 1).fill(null));
  }

  #takeBack(): void {
    this.times.pop();
    for (const values of this.fields.values()) values.pop();
  }

  /** A tenth at a time, as each time moves all the rest. */
  #makeRoom(): void {
    if (this.times.length < SERIES_POINTS_MAX) return;
    const gone = SERIES_POINTS_MAX / 10;
    this.times.splice(0, gone);
    for (const values of this.fields.values()) values.splice(0, gone);
  }
}

function collect(value: unknown, path: string, depth: number, found: Map<string, number>): void {
  if (found.size >= FIELDS_MAX) return;
  if (typeof value === "number" && Number.isFinite(value)) found.set(path, value);
  else if (typeof value === "boolean") found.set(path, Number(value));
  else if (typeof value === "bigint") found.set(path, Number(value));
  else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && depth < DEPTH_MAX) {
    for (const [key, inner] of Object.entries(value)) collect(inner, path ? `${path}.${key}` : key, depth + 1, found);
  }
}

/** The value at a path as Series names paths, of whatever kind; undefined where there is none. */
export function valueAt(value: unknown, path: string): unknown {
  if (path === "") return value;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    if (path === key) return inner;
    if (path.startsWith(`${key}.`)) return valueAt(inner, path.slice(key.length + 1));
  }
  return undefined;
}
