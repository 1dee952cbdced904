// A small live plot of one figure from zero up, one of several that are read together: what the pointer is at in one of
// them is shown in all.

import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { formatNumber } from "../../../page/figures.js";
import { formatBytes, formatCount, formatPerSecond, formatShare } from "../model/units.js";
import { timeLabels } from "./plot.js";
import { type Drawing, useUplot } from "./use_uplot.js";

/** Seconds that a plot shows at least, so that its first points don't fill it. */
const SPAN_MIN_S = 60;
/** Seconds between two labels of the time. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600];
/** Labels beside a plot, about, and pixels that each has at least. */
const LABELS = 5;
const LABEL_ROOM = 26;
/** Room above the highest value. */
const HEADROOM = 1.15;

/** What a figure is measured in: how its values are written, in full and at an axis. */
export interface Unit {
  format(value: number): string;
  label(value: number): string;
  /** Steps that an axis may have; absent: 1, 2, 2.5 or 5 times a power of ten. */
  steps?: number[];
  /** An axis reaches up to this at least. */
  top: number;
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const label = (value: number) => compact.format(value);

/** The units of all figures. */
export const UNITS = {
  count: {
    format: formatCount,
    label,
    steps: Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((factor) => factor * 10 ** power)).flat(),
    top: 4,
  },
  rate: { format: formatPerSecond, label, top: 1 },
  bytes: {
    format: formatBytes,
    label: formatBytes,
    steps: Array.from({ length: 50 }, (_, power) => 2 ** power),
    top: 1024,
  },
  share: { format: formatShare, label: formatShare, top: 0.1 },
  milliseconds: {
    format: (value) => `${formatNumber(value, value < 10 ? 2 : 1)} ms`,
    label: (value) => `${label(value)} ms`,
    top: 1,
  },
} satisfies Record<string, Unit>;

interface Props {
  title: string;
  /** Seconds since 1970, rising. */
  times: readonly number[];
  values: readonly (number | null)[];
  /** Changes with the data. */
  version: number;
  /** Seconds that are shown at most. */
  span: number;
  unit: Unit;
  /** Plots of the same group share the pointer. */
  group: string;
  /** What is at the pointer: an index of `times`; undefined when it leaves. */
  onPoint?(index: number | undefined): void;
}

/** Draws anew when `version` changes, when the room does, and when the viewer turns dark or light. */
export function Trend(props: Props) {
  const { title, times, values, version } = props;
  const latest = useRef(props);
  latest.current = props;
  const draw = (element: HTMLElement) => ({ options: options(latest, element), data: dataOf(latest.current) });
  const { place, plot } = useUplot(draw, [title]);
  useEffect(() => plot.current?.setData(dataOf({ times, values })), [version]);

  return <div class="trend-plot" ref={place} role="img" aria-label={`${title} over time`} />;
}

function dataOf({ times, values }: Pick<Props, "times" | "values">): uPlot.AlignedData {
  return [times as number[], values as number[]];
}

function options(latest: { current: Props }, element: HTMLElement): Drawing["options"] {
  const { title, span, unit, group } = latest.current;
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--quiet"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    padding: [6, 16, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: group }, drag: { x: false, y: false }, y: false, points: { size: 7 } },
    scales: {
      x: { range: (_, first, last) => [Math.min(Math.max(first, last - span), last - SPAN_MIN_S), last] },
      y: { range: (_, _low, high) => [0, Math.max(unit.top, (high ?? 0) * HEADROOM)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 64,
        incrs: TIME_STEPS,
        size: 26,
        gap: 6,
        values: (_, splits, _axis, _space, step) => timeLabels(splits, step),
      },
      {
        ...axis,
        size: 52,
        space: (_plot, _axis, _low, _high, height) => Math.max(LABEL_ROOM, height / LABELS),
        ...(unit.steps && { incrs: unit.steps }),
        values: (_, splits) => splits.map(unit.label),
      },
    ],
    series: [
      {},
      {
        label: title,
        stroke: colour("--accent"),
        fill: `${colour("--accent")}1f`,
        width: 1.5,
        points: { show: false },
      },
    ],
    hooks: { setCursor: [({ cursor }) => latest.current.onPoint?.(cursor.idx ?? undefined)] },
  };
}
