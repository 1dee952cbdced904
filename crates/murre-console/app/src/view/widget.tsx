// One field on a dashboard: a plot, a number, a gauge, a state or a track.

import type { Client } from "murre";
import { useEffect, useState } from "preact/hooks";
import { decimalsOf, formatAge, formatNumber, labelOf } from "../../../page/figures.js";
import type { Widget } from "../model/dashboard.js";
import { type Extent, Live } from "../model/live.js";
import { valueAt } from "../model/series.js";
import { valueIn } from "../model/topic.js";
import { useTick } from "./hooks.js";
import { Plot } from "./plot.js";
import { Track } from "./track.js";

/** Seconds that a plot begins with. */
const PLOT_SECONDS = 300;
/** Pixels of a plot, about: it can't show more values than these. */
const PLOT_PIXELS = 400;
const EXTENTS: Record<Widget["kind"], Extent> = {
  plot: { seconds: PLOT_SECONDS, maxRate: Math.max(1, PLOT_PIXELS / PLOT_SECONDS) },
  gauge: { seconds: PLOT_SECONDS, maxRate: 4 },
  number: { seconds: PLOT_SECONDS, maxRate: 4 },
  state: { seconds: PLOT_SECONDS, maxRate: 4 },
  track: { seconds: PLOT_SECONDS, maxRate: 1 },
};

/** What a widget shows: the field's value now, and what it was. */
export function WidgetBody({ client, widget }: { client: Client; widget: Widget }) {
  const { topic, path, kind } = widget;
  useTick();
  const [live, setLive] = useState<Live>();
  useEffect(() => {
    const made = new Live(client, topic, EXTENTS[kind]);
    setLive(made);
    return () => made.close();
  }, [client, topic, kind]);
  if (!live?.message) return <p class="empty">Nothing has come yet.</p>;
  const values = live.series.fields.get(path) ?? [];
  switch (kind) {
    case "plot":
      return <Plot title={labelOf(path)} times={live.series.times} values={values} version={live.series.version} />;
    case "gauge":
      return <Gauge values={values} />;
    case "track":
      return <Track series={live.series} path={path} />;
    case "number":
    case "state":
      return (
        <p class={kind === "state" ? "big words" : "big"}>
          {shown(valueAt(valueIn(live.message), path))}{" "}
          <span class="quiet">{formatAge(Date.now() - live.message.time)}</span>
        </p>
      );
  }
}

function shown(value: unknown): string {
  if (typeof value === "number") return formatNumber(value, decimalsOf(value));
  if (value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Half a circle over the range that the values had, widened to round numbers. */
function Gauge({ values }: { values: readonly (number | null)[] }) {
  const numbers = values.filter((value) => value !== null);
  const now = numbers.at(-1);
  if (now === undefined) return <p class="empty">It has no number.</p>;
  const [low, high] = roundRange(Math.min(...numbers), Math.max(...numbers));
  const share = (now - low) / (high - low);
  const [x, y] = [60 - 50 * Math.cos(Math.PI * share), 60 - 50 * Math.sin(Math.PI * share)];
  return (
    <div class="gauge">
      <svg viewBox="0 0 120 66" aria-hidden="true">
        <path class="track" d="M10 60 A50 50 0 0 1 110 60" />
        <path class="level" d={`M10 60 A50 50 0 0 1 ${x.toFixed(1)} ${y.toFixed(1)}`} />
      </svg>
      <p>
        <span class="quiet">{formatNumber(low, decimalsOf(low))}</span>
        <strong>{formatNumber(now, decimalsOf(now))}</strong>
        <span class="quiet">{formatNumber(high, decimalsOf(high))}</span>
      </p>
    </div>
  );
}

/** The smallest range of whole steps (1, 2 or 5 times a power of ten) that has both; from 0 where that is near. */
function roundRange(low: number, high: number): [low: number, high: number] {
  const bottom = low >= 0 && low < high / 2 ? 0 : low;
  const span = high - bottom || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span));
  const step = [1, 2, 5, 10].map((factor) => (factor * power) / 5).find((each) => span / each <= 10) ?? power;
  const [first, last] = [Math.floor(bottom / step), Math.ceil(high / step)];
  return [first * step, (last === first ? first + 1 : last) * step];
}
