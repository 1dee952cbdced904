// The numbers of one topic's payloads over time, each under its path, with a gap wherever something is missing.

import type { Message, Subscription } from "murre";
import { figuresIn, type WindowFigures } from "./density.js";
import { silenceMax } from "./silence.js";
import { valueIn } from "./topic.js";

/** Messages whose numbers are kept, and that are asked for to begin with. */
export const SERIES_POINTS_MAX = 2000;
/** Fields that are followed; a payload with more is no reading. */
const FIELDS_MAX = 12;
const DEPTH_MAX = 4;
/** Distances between readings that are remembered to tell how far apart they usually are. */
const DISTANCES_MAX = 32;
/** After a restart of the broker something may be missing: then so much of the usual silence is a gap. */
const SUSPICION = 0.5;

/** A number at each of the times; null where the line breaks, undefined where a payload had none. */
export type Values = (number | null | undefined)[];

/** The least and the most of each time, where the points stand for windows. */
export interface Range {
  readonly low: Values;
  readonly high: Values;
}

/** Seconds since 1970, rising, and for each field the values at each of them: as uPlot takes it. */
export class Series {
  readonly times: number[] = [];
  readonly fields = new Map<string, Values>();
  /** Of the first path that windows are asked for. */
  readonly range: Range = { low: [], high: [] };
  /** Whether the least and the most were ever apart. */
  hasRange = false;
  /** Changes with every message. */
  version = 0;
  /** Seconds for which a point stands, at the newest value of that time; 0: every message is a point. */
  step: number;
  readonly #paths: readonly string[];
  /** Milliseconds from the taking of a reading to its coming, the least so far: of it that much is a wrong clock. */
  #delay = Number.POSITIVE_INFINITY;
  /** Where the time begins for which the last point stands. */
  #slot = Number.NEGATIVE_INFINITY;
  /** Between the points; those of gaps are among them. */
  readonly #distances: number[] = [];
  /** What is known of the time before the next message. */
  #missing: "nothing" | "perhaps" | "something" = "nothing";

  /** `paths`: of which figures over windows may come. */
  constructor(step = 0, paths: readonly string[] = []) {
    this.step = step;
    this.#paths = paths;
  }

  /** Seconds of silence past which the next message is overdue; see silence.ts. */
  get silenceMax(): number {
    return silenceMax(this.#distances);
  }

  /** Readings a second, by the times at which the last ones were taken: what comes late, all at once, is no haste. */
  get perSecond(): number {
    const middle = this.#distances.toSorted((a, b) => a - b)[Math.floor(this.#distances.length / 2)];
    return middle ? 1 / middle : 0;
  }

  /** Takes a message in. `isReplay`: it may be here already, and is left out if it isn't newer than all that is. */
  add(message: Message, isReplay = false): void {
    const value = valueIn(message);
    const figures = figuresIn(value, this.#paths);
    const seconds = this.#secondsOf(message, figures);
    const newest = this.times.at(-1) ?? Number.NEGATIVE_INFINITY;
    if ((isReplay || figures) && seconds <= newest) {
      // What comes again says that nothing is missing before what is new.
      if (this.#missing === "perhaps") this.#missing = "nothing";
      return;
    }
    const found = figures ? meansOf(figures) : numbersIn(value);
    if (found.size === 0) return;
    const isBroken = this.#leaveGap(seconds, newest);
    if (!isBroken && seconds - this.#slot < this.step) this.#takeBack();
    else this.#slot = seconds;
    this.#push(Math.max(seconds, newest), found, figures);
  }

  /** When a reading was taken, which may be long before it came; a window counts at its middle. */
  #secondsOf({ time, sourceTime }: Message, figures: WindowFigures | undefined): number {
    const taken = figures?.end ?? sourceTime;
    if (taken === undefined) return time / 1000;
    this.#delay = Math.min(this.#delay, time - taken);
    const middle = figures ? (figures.start - figures.end) / 2 : 0;
    return (taken + this.#delay + middle) / 1000;
  }

  /** Something is missing before the next message. */
  breakHere(): void {
    this.#missing = "something";
  }

  #suspect(): void {
    if (this.#missing === "nothing") this.#missing = "perhaps";
  }

  /** Takes in what comes to a subscription that resumes, as far as it is `wanted`. */
  fillFrom(subscription: Subscription, wanted: (message: Message) => boolean = () => true): void {
    let isReplay = false;
    subscription.on("message", (message) => {
      if (wanted(message)) this.add(message, isReplay);
    });
    subscription.on("resumed", ({ recovered, lost }) => {
      // A broker that died may have lost what it had not on disk yet, and mostly hasn't.
      if (lost === "crash") this.#suspect();
      else if (!recovered) this.breakHere();
    });
    subscription.on("dropped", () => this.breakHere());
    // A broker without a store keeps less than this page has, so that nothing is let go.
    subscription.on("restarted", () => {
      isReplay = true;
      this.#suspect();
    });
    subscription.on("caughtUp", () => {
      isReplay = false;
    });
  }

  /** Breaks the line before a message where something is missing; whether it did. */
  #leaveGap(seconds: number, newest: number): boolean {
    const missing = this.#missing;
    this.#missing = "nothing";
    const distance = seconds - newest;
    if (!Number.isFinite(distance) || distance <= 0) return false;
    const isOverdue = distance > this.silenceMax * (missing === "perhaps" ? SUSPICION : 1);
    const isGap = missing === "something" || isOverdue;
    if (isGap) this.#push(newest + distance / 2, new Map(), undefined);
    if (isGap || distance >= this.step) this.#remember(distance);
    return isGap;
  }

  #remember(distance: number): void {
    this.#distances.push(distance);
    if (this.#distances.length > DISTANCES_MAX) this.#distances.shift();
  }

  /** A point; a gap where nothing is found. */
  #push(seconds: number, found: ReadonlyMap<string, number>, figures: WindowFigures | undefined): void {
    this.#makeRoom();
    this.version += 1;
    this.times.push(seconds);
    for (const path of found.keys()) this.#follow(path);
    const none = found.size === 0 ? null : undefined;
    for (const [path, values] of this.fields) values.push(found.get(path) ?? none);
    const [path = ""] = this.#paths;
    const only = found.get(path) ?? none;
    const { min = only, max = only } = figures?.of.get(path) ?? {};
    this.hasRange ||= typeof min === "number" && min !== max;
    this.range.low.push(min);
    this.range.high.push(max);
  }

  #follow(path: string): void {
    if (this.fields.has(path) || this.fields.size >= FIELDS_MAX) return;
    this.fields.set(path, new Array(this.times.length - 1).fill(undefined));
  }

  get #columns(): (number | null | undefined)[][] {
    return [this.times, this.range.low, this.range.high, ...this.fields.values()];
  }

  #takeBack(): void {
    for (const column of this.#columns) column.pop();
  }

  /** A tenth at a time, as each time moves all the rest. */
  #makeRoom(): void {
    if (this.times.length < SERIES_POINTS_MAX) return;
    for (const column of this.#columns) column.splice(0, SERIES_POINTS_MAX / 10);
  }
}

function meansOf({ of }: WindowFigures): Map<string, number> {
  return new Map([...of].map(([path, { mean }]) => [path, mean]));
}

/** The numbers of a payload by path; switches count as 0 and 1. */
function numbersIn(value: unknown): Map<string, number> {
  const found = new Map<string, number>();
  collect(value, "", 0, found);
  return found;
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
