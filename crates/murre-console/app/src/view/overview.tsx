// How the broker is: its own figures, each as a live plot with the value of now.

import type { Client } from "murre";
import { useEffect, useState } from "preact/hooks";
import type { Admin } from "../model/admin.js";
import { type Figure, STATS_SPAN_S, type Stats, type StatsReport } from "../model/stats.js";
import { formatBytes, formatCount, formatDuration, formatPerSecond, formatShare } from "../model/units.js";
import { useConnection, useTick } from "./hooks.js";
import { Link, type Place } from "./link.js";
import { Trend, UNITS, type Unit } from "./trend.js";

/** One figure as people read it. */
interface Card {
  figure: Figure;
  title: string;
  unit: Unit;
  /** Where there is more of it. */
  to?: Place;
  /** What belongs to the value of now. */
  note(report: StatsReport, stats: Stats): string;
  /** Whether that is something to look after. */
  isBad?(report: StatsReport): boolean;
  /** What stands there, in place of a plot too, where the broker has nothing of the kind. */
  absent?: string;
}

/** The part of its room that a store may fill before it is something to look after. */
const FULL = 0.9;

const CARDS: readonly Card[] = [
  {
    figure: "received",
    title: "Messages in",
    unit: UNITS.rate,
    note: (_, stats) => bytesPerSecond(stats.current("receivedBytes")),
  },
  {
    figure: "delivered",
    title: "Messages out",
    unit: UNITS.rate,
    note: (_, stats) => bytesPerSecond(stats.current("deliveredBytes")),
  },
  {
    figure: "clients",
    title: "Clients",
    unit: UNITS.count,
    to: { view: "clients" },
    note: ({ sessions }) => `${formatCount(sessions)} sessions, kept ones too`,
  },
  { figure: "topics", title: "Topics", unit: UNITS.count, to: { view: undefined }, note: () => "with a last value" },
  {
    figure: "subscriptions",
    title: "Subscriptions",
    unit: UNITS.count,
    note: () => "of connected clients",
  },
  {
    figure: "slow",
    title: "Slow consumers",
    unit: UNITS.count,
    to: { view: "clients" },
    note: lostInWords,
    isBad: ({ slow }) => slow > 0,
  },
  {
    figure: "storeBytes",
    title: "Store",
    unit: UNITS.bytes,
    note: ({ store }) =>
      store?.bytes_max ? `${formatShare(store.bytes / store.bytes_max)} of ${formatBytes(store.bytes_max)}` : "",
    isBad: ({ store }) => !!store?.bytes_max && store.bytes > FULL * store.bytes_max,
    absent: "None: all is in memory",
  },
  {
    figure: "commitMs",
    title: "Commit time",
    unit: UNITS.milliseconds,
    note: ({ store }, stats) => commitsInWords(store?.failures ?? 0, stats.current("commits")),
    isBad: ({ store }) => store !== null && store.failures > 0,
    absent: "Nothing was committed",
  },
  {
    figure: "processors",
    title: "Processor",
    unit: UNITS.share,
    note: ({ workers }) => `of one processor, ${workers} ${workers === 1 ? "worker" : "workers"}`,
  },
  { figure: "memoryBytes", title: "Memory", unit: UNITS.bytes, note: () => "resident" },
];

function bytesPerSecond(value: number | null): string {
  return value === null ? "" : `${formatBytes(value)}/s`;
}

function lostInWords({ dropped, conflated }: StatsReport, stats: Stats): string {
  const rate = stats.current("lost") ?? 0;
  if (rate > 0) return `${formatPerSecond(rate)} left out for them`;
  const total = dropped + conflated;
  return total > 0 ? `${formatCount(total)} left out since the start` : "nothing left out";
}

function commitsInWords(failures: number, rate: number | null): string {
  if (failures > 0) return `${formatCount(failures)} failed`;
  return rate === null ? "" : `${formatPerSecond(rate)}, none failed`;
}

/** See the top of the file. */
export function Overview({ client, admin, stats }: { client: Client; admin: Admin; stats: Stats }) {
  useEffect(() => void stats.follow(client, admin), [stats, client, admin]);
  const isConnected = useConnection(client).name === "connected";
  useTick();
  const [pointed, setPointed] = useState<number>();
  const report = stats.latest;
  if (!report) {
    return <p class="empty">{stats.problem || "Waiting for the broker's figures, which it gives each second…"}</p>;
  }
  const time = pointed === undefined ? undefined : stats.times[pointed];
  return (
    <section class="overview" aria-label="Overview" data-stale={!isConnected}>
      <p class="quiet about">
        <span>up {formatDuration((stats.times.at(-1) ?? 0) * 1000 - report.started)}</span>
        <span>since {new Date(report.started).toLocaleString()}</span>
        <output>{time === undefined ? "" : `Figures of ${new Date(time * 1000).toLocaleTimeString()}`}</output>
      </p>
      <ul class="cards">
        {CARDS.map((card) => (
          <FigureCard
            key={card.figure}
            card={card}
            stats={stats}
            report={report}
            pointed={pointed}
            onPoint={setPointed}
          />
        ))}
      </ul>
    </section>
  );
}

interface CardProps {
  card: Card;
  stats: Stats;
  report: StatsReport;
  pointed: number | undefined;
  onPoint(index: number | undefined): void;
}

function FigureCard({ card, stats, report, pointed, onPoint }: CardProps) {
  const { figure, title, to, unit } = card;
  const values = stats.lines[figure];
  const value = pointed === undefined ? lastKnown(values) : (values[pointed] ?? null);
  const isAbsent = card.absent !== undefined && values.every((each) => each === null);
  const now = value === null ? "–" : unit.format(value);
  return (
    <li class="card" data-figure={figure} data-bad={card.isBad?.(report) ?? false}>
      <div class="card-head">
        <h2>{to ? <Link to={to}>{title}</Link> : title}</h2>
        <p class={isAbsent ? "now absent" : "now"}>{isAbsent ? card.absent : now}</p>
        <p class="quiet note">{isAbsent ? "" : card.note(report, stats)}</p>
      </div>
      {!isAbsent && (
        <Trend
          title={title}
          times={stats.times}
          values={values}
          version={stats.version}
          span={STATS_SPAN_S}
          unit={unit}
          group="overview"
          onPoint={onPoint}
        />
      )}
    </li>
  );
}

/** Points that a value may be behind and still stand for now, such as a commit's time while nothing is committed. */
const BEHIND_MAX = 30;

function lastKnown(values: readonly (number | null)[]): number | null {
  return values.slice(-BEHIND_MAX).findLast((value) => value !== null) ?? null;
}
