// What is known of clients beyond what the broker tells: how fast their counters go up, and what their words mean.

import type { ClientInfo, Deadband, KeepRule, ViewOptions, ViewWindow } from "./admin.js";
import { formatBytes, formatDuration } from "./units.js";

/** Messages a second; null while that isn't known. */
export interface Rates {
  received: number | null;
  delivered: number | null;
}

const UNKNOWN: Rates = { received: null, delivered: null };

/** Rates of clients from two answers that follow each other: of those that are in both. */
export class ClientRates {
  #counts = new Map<string, { at: number; client: ClientInfo; rates: Rates }>();

  /** Takes an answer in that came at `now`, in milliseconds of a clock that only rises. */
  take(clients: readonly ClientInfo[], now: number): void {
    this.#counts = new Map(clients.map((client) => [client.client_id, this.#next(client, now)]));
  }

  #next(client: ClientInfo, now: number) {
    const before = this.#counts.get(client.client_id);
    if (!before || before.client.connected !== client.connected || now <= before.at) {
      return { at: now, client, rates: UNKNOWN };
    }
    const rate = (direction: "received" | "delivered") =>
      (Math.max(0, client[direction].messages - before.client[direction].messages) / (now - before.at)) * 1000;
    return { at: now, client, rates: { received: rate("received"), delivered: rate("delivered") } };
  }

  /** Of the client of that id. */
  of(id: string): Rates {
    return this.#counts.get(id)?.rates ?? UNKNOWN;
  }
}

/** Points of a client's lines: ten minutes. */
const POINTS_MAX = 300;

/** One client's figures over the time that somebody has looked. */
export class ClientLines {
  /** Seconds since 1970, rising. */
  readonly times: number[] = [];
  readonly received: (number | null)[] = [];
  readonly delivered: (number | null)[] = [];
  readonly outbox: (number | null)[] = [];
  /** Changes with every answer. */
  version = 0;
  readonly #rates = new ClientRates();

  /** Takes an answer in that came at `now`, in milliseconds since 1970. */
  take(client: ClientInfo, now: number): void {
    this.#rates.take([client], now);
    const { received, delivered } = this.#rates.of(client.client_id);
    const time = Math.max(now / 1000, (this.times.at(-1) ?? 0) + 0.001);
    const lines = [this.times, this.received, this.delivered, this.outbox] as (number | null)[][];
    for (const [at, value] of [time, received, delivered, client.outbox.bytes].entries()) {
      const line = lines[at];
      line?.push(value);
      if (line && line.length > POINTS_MAX) line.shift();
    }
    this.version += 1;
  }
}

/** How a client speaks to the broker. */
export function protocolName({ protocol, encoding }: Pick<ClientInfo, "protocol" | "encoding">): string {
  if (protocol === "events") return "Server-Sent Events";
  return encoding === "json" ? "WebSocket, JSON" : "WebSocket, MessagePack";
}

/** The options of a view as short texts, in the order that they take effect in. */
export function viewInWords(view: ViewOptions): string[] {
  const { where, select, deadband, window, max_rate, patch, expect, on_error, ...more } = view;
  const words = [
    where && `where ${where}`,
    select && `only ${select.join(", ")}`,
    deadband && deadbandInWords(deadband),
    window && windowInWords(window),
    max_rate && `at most ${max_rate}/s`,
    patch && "changes only",
    expect && `tells of silence over ${expect} s`,
    on_error === "pass" && "what can't be read passes",
    ...Object.entries(more).map(([name, value]) => `${name} ${JSON.stringify(value)}`),
  ];
  return words.filter((each) => typeof each === "string");
}

function deadbandInWords({ path, abs, percent, silence_max }: Deadband): string {
  const by = abs === undefined ? `${percent} %` : String(abs);
  const text = `when ${path || "it"} moves by ${by}`;
  return silence_max === undefined ? text : `${text} or after ${silence_max} s`;
}

function windowInWords({ seconds, step, of, give }: ViewWindow): string {
  const every = step === undefined || step === seconds ? "" : ` every ${step} s`;
  const paths = of.filter((path) => path !== "").join(", ");
  return `${give.join(", ")}${paths && ` of ${paths}`} over ${seconds} s${every}`;
}

/** What a keep rule keeps: "the last 1,000 messages, at most 7 d old, on disk". */
export function ruleInWords({ last, age_ms, bytes, durable }: KeepRule): string {
  const limits = [
    last !== undefined && `the last ${last.toLocaleString("en")} messages`,
    age_ms !== undefined && `at most ${formatDuration(age_ms)} old`,
    bytes !== undefined && `at most ${formatBytes(bytes)}`,
  ].filter((limit) => limit !== false);
  return [...(limits.length > 0 ? limits : ["all messages"]), durable ? "on disk" : "in memory"].join(", ");
}
