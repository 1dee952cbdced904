// A live plot of one field, by uPlot.

import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { Range, Values } from "../model/series.js";
import { AXIS_PIXELS } from "./use_live.js";
import { type Drawing, useUplot } from "./use_uplot.js";

const MINUTE_S = 60;
const DAY_S = 24 * 60 * MINUTE_S;

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
const precise = new Intl.NumberFormat("en", { maximumFractionDigits: 6 });

interface Props {
  title: string;
  times: readonly number[];
  values: Values;
  /** Changes with the data. */
  version: number;
  /** The least and the most around the values, where they are means. */
  range?: Range | undefined;
  /** Seconds that the plot spans, with its end in seconds since 1970; without, all that there is. */
  seconds?: number;
  end?: number;
}

/** Draws anew when `version` changes, when time has moved by a pixel or the room has, and when the viewer turns dark. */
export function Plot({ title, times, values, version, range, seconds = 0, end = 0 }: Props) {
  const data = useRef<Shown>({ columns: [[], []], seconds, end });
  const columns = range ? [times, values, range.low, range.high] : [times, values];
  data.current = { columns: columns as uPlot.AlignedData, seconds, end };

  const draw = (element: HTMLElement) => ({ options: options(title, element, data), data: data.current.columns });
  const { place, plot } = useUplot(draw, [title, range === undefined]);
  const pixel = seconds > 0 ? Math.floor(end / (seconds / (place.current?.clientWidth || 1))) : 0;
  useEffect(() => plot.current?.setData(data.current.columns), [version, pixel, seconds]);

  return <div class="plot" ref={place} role="img" aria-label={`${title || "value"} over time`} />;
}

/** What a plot has to show. */
interface Shown {
  columns: uPlot.AlignedData;
  seconds: number;
  end: number;
}

function options(title: string, element: HTMLElement, data: { current: Shown }): Drawing["options"] {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
  const edge = { stroke: "transparent", width: 0, points: { show: false } };
  const hasRange = data.current.columns.length > 2;
  const window = (_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax => {
    const { seconds, end } = data.current;
    return seconds > 0 ? [end - seconds, end] : [low, high];
  };
  return {
    legend: { show: false },
    cursor: { sync: { key: "detail" }, drag: { x: true, y: false } },
    scales: { x: { range: window } },
    axes: [
      { ...axis, space: 80, size: 26, values: (_, splits, _axis, _space, step) => timeLabels(splits, step) },
      { ...axis, size: AXIS_PIXELS, space: 28, values: (_, splits) => splits.map(numberLabel) },
    ],
    series: [
      {},
      {
        label: title,
        stroke: colour("--accent"),
        ...(hasRange ? {} : { fill: colour("--shade") }),
        width: 1.75,
        points: { show: false },
      },
      ...(hasRange ? [edge, edge] : []),
    ],
    ...(hasRange ? { bands: [{ series: [3, 2], fill: colour("--shade") }] } : {}),
  };
}

/** In the viewer's zone and habit, as exact as the distance between two labels, `step` in seconds, wants. */
export function timeLabels(splits: number[], step: number): string[] {
  const clock = { hour: "2-digit", minute: "2-digit" } as const;
  const day = { day: "numeric", month: "short" } as const;
  const style = step >= DAY_S ? day : step >= MINUTE_S ? clock : { ...clock, second: "2-digit" as const };
  const format = new Intl.DateTimeFormat(undefined, { ...style, hourCycle: "h23" });
  return splits.map((seconds) => format.format(seconds * 1000));
}

function numberLabel(value: number): string {
  return Math.abs(value) >= 10_000 ? compact.format(value) : precise.format(value);
}
