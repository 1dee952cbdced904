// A live plot of one field, by uPlot.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { useDark } from "./hooks.js";

const HEIGHT = 140;
const MINUTE_S = 60;
const DAY_S = 24 * 60 * MINUTE_S;

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const precise = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });

interface Props {
  title: string;
  times: readonly number[];
  values: readonly (number | null)[];
  /** Changes with the data. */
  version: number;
}

/** Draws anew when `version` changes, when the room does, and when the viewer turns dark or light. */
export function Plot({ title, times, values, version }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const isDark = useDark();
  const data = useRef<uPlot.AlignedData>([[], []]);
  data.current = [times as number[], values as number[]];

  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const made = new uPlot(options(title, element), data.current, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [title, isDark]);
  useEffect(() => plot.current?.setData(data.current), [version]);

  return <div class="plot" ref={place} role="img" aria-label={`${title || "value"} over time`} />;
}

function options(title: string, element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "detail" }, drag: { x: true, y: false } },
    axes: [
      { ...axis, space: 80, size: 28, values: (_, splits) => timeLabels(splits) },
      { ...axis, size: 56, space: 28, values: (_, splits) => splits.map(numberLabel) },
    ],
    series: [{}, { label: title, stroke: colour("--accent"), width: 1.5, points: { show: false }, spanGaps: true }],
  };
}

/** In the viewer's zone and habit, as exact as the distance between two labels wants. */
export function timeLabels(splits: number[], step = (splits[1] ?? 0) - (splits[0] ?? 0)): string[] {
  const clock = { hour: "2-digit", minute: "2-digit" } as const;
  const day = { day: "numeric", month: "short" } as const;
  const style = step >= DAY_S ? day : step >= MINUTE_S ? clock : { ...clock, second: "2-digit" as const };
  const format = new Intl.DateTimeFormat(undefined, { ...style, hourCycle: "h23" });
  return splits.map((seconds) => format.format(seconds * 1000));
}

function numberLabel(value: number): string {
  return Math.abs(value) >= 10_000 ? compact.format(value) : precise.format(value);
}
