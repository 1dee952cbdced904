// The broker's own figures over time, from what it says of itself each second on `$murre/stats`.

import type { Client, Subscription } from "murre";
import type { Admin } from "./admin.js";
import { valueIn } from "./topic.js";

/** Where the broker says how it is. */
export const STATS_TOPIC = "$murre/stats";
/** Seconds that are shown: as many as the broker remembers. */
export const STATS_SPAN_S = 600;
/** A point each second, with room for those that come a little early. */
const POINTS_MAX = STATS_SPAN_S * 1.5;
/** Seconds without a word after which the line breaks off. */
const GAP_S = 5;

interface Traffic {
  messages: number;
  bytes: number;
}

/** What the broker says. Counters are totals since `started`. */
export interface StatsReport {
  server: string;
  /** Milliseconds since 1970. */
  started: number;
  workers: number;
  /** Client ids that are connected. */
  clients: number;
  /** With those that the broker keeps while their clients are away. */
  sessions: number;
  topics: number;
  /** Of connected clients. */
  subscriptions: number;
  slow: number;
  received: Traffic;
  delivered: Traffic;
  dropped: number;
  conflated: number;
  /** `resident_bytes`: null where the system doesn't say. */
  process: { cpu_seconds: number; resident_bytes: number | null };
  /** null: the broker has its log in memory alone. */
  store: null | {
    bytes: number;
    /** null: without a bound. */
    bytes_max: number | null;
    commits: number;
    /** All commits' time together. */
    commit_seconds: number;
    failures: number;
  };
}

/** How each figure comes from a report, and from the one before it. */
const FIGURES = {
  clients: ({ now }) => now.clients,
  topics: ({ now }) => now.topics,
  subscriptions: ({ now }) => now.subscriptions,
  slow: ({ now }) => now.slow,
  memoryBytes: ({ now }) => now.process.resident_bytes,
  storeBytes: ({ now }) => now.store?.bytes ?? null,
  received: (pair) => perSecond(pair, ({ received }) => received.messages),
  receivedBytes: (pair) => perSecond(pair, ({ received }) => received.bytes),
  delivered: (pair) => perSecond(pair, ({ delivered }) => delivered.messages),
  deliveredBytes: (pair) => perSecond(pair, ({ delivered }) => delivered.bytes),
  lost: (pair) => perSecond(pair, ({ dropped, conflated }) => dropped + conflated),
  /** 1: one processor at work all the time. */
  processors: (pair) => perSecond(pair, ({ process }) => process.cpu_seconds),
  commits: (pair) => perSecond(pair, ({ store }) => store?.commits ?? null),
  /** Of one commit. */
  commitMs: commitMs,
} satisfies Record<string, (pair: Pair) => number | null>;

/** Two reports that follow each other; `before` is undefined for the first of a run of the broker. */
interface Pair {
  now: StatsReport;
  before: StatsReport | undefined;
  /** Between them. */
  seconds: number;
}

/** What there is a line of. */
export type Figure = keyof typeof FIGURES;
const NAMES = Object.keys(FIGURES) as Figure[];

/** The reports as lines: seconds since 1970, rising, and each figure's value or null at each of them. */
export class Stats {
  readonly times: number[] = [];
  readonly lines = Object.fromEntries(NAMES.map((name) => [name, []])) as unknown as Record<Figure, (number | null)[]>;
  latest: StatsReport | undefined;
  /** Changes with every report. */
  version = 0;
  /** Why there are none. */
  problem = "";
  #isFollowing = false;

  /** Begins to follow the broker, with what it remembers where it tells this page; once is enough. */
  async follow(client: Client, admin: Admin): Promise<void> {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    const past = await admin.stats().catch(() => []);
    for (const { time, stats } of past) this.add(time, stats);
    // A keep rule may hold some of them for pages that the broker doesn't tell the rest.
    const from = { since: Date.now() - STATS_SPAN_S * 1000 };
    const subscription: Subscription = client.subscribe(STATS_TOPIC, { from, resume: true });
    subscription.on("message", (message) => this.add(message.time, valueIn(message)));
    subscription.on("end", (error) => {
      this.problem = error?.message ?? "";
    });
  }

  /** Takes in what the broker said at `ms` since 1970. What is no report, or no newer than one that is here, is left
   *  out. */
  add(ms: number, value: unknown): void {
    const now = asReport(value);
    const time = ms / 1000;
    const last = this.times.at(-1) ?? Number.NEGATIVE_INFINITY;
    if (!now || time <= last) return;
    const seconds = time - last;
    const before = this.latest?.started === now.started ? this.latest : undefined;
    if (this.latest && (!before || seconds > GAP_S)) this.#push((last + time) / 2, undefined);
    this.#push(time, { now, before, seconds });
    this.latest = now;
    this.version += 1;
  }

  /** The newest value of a figure; null where it isn't known. */
  current(figure: Figure): number | null {
    return this.lines[figure].at(-1) ?? null;
  }

  #push(time: number, pair: Pair | undefined): void {
    if (this.times.length >= POINTS_MAX) this.#makeRoom();
    this.times.push(time);
    for (const name of NAMES) this.lines[name].push(pair ? FIGURES[name](pair) : null);
  }

  /** A tenth at a time, as each time moves all the rest. */
  #makeRoom(): void {
    const gone = POINTS_MAX / 10;
    this.times.splice(0, gone);
    for (const name of NAMES) this.lines[name].splice(0, gone);
  }
}

function perSecond({ now, before, seconds }: Pair, total: (report: StatsReport) => number | null): number | null {
  const [after, earlier] = [total(now), before ? total(before) : null];
  return after === null || earlier === null ? null : Math.max(0, after - earlier) / seconds;
}

function commitMs({ now, before }: Pair): number | null {
  if (!now.store || !before?.store) return null;
  const commits = now.store.commits - before.store.commits;
  return commits > 0 ? ((now.store.commit_seconds - before.store.commit_seconds) / commits) * 1000 : null;
}

/** A payload as a report, where it has all that a report needs. */
function asReport(value: unknown): StatsReport | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const report = value as Partial<StatsReport>;
  const isWhole =
    typeof report.started === "number" &&
    [report.received, report.delivered, report.process].every((part) => typeof part === "object" && part !== null);
  return isWhole ? (report as StatsReport) : undefined;
}
