// One field on a dashboard: a plot, a number, a gauge, a state or a track.

import type { Client } from "murre";
import { useRef } from "preact/hooks";
import { decimalsOf, formatAge, formatNumber, sparkline } from "../../../page/figures.js";
import type { Widget } from "../model/dashboard.js";
import { fieldName } from "../model/field.js";
import type { Live } from "../model/live.js";
import { type Values, valueAt } from "../model/series.js";
import { valueIn } from "../model/topic.js";
import { Gauge } from "./gauge.js";
import { useTick } from "./hooks.js";
import { Plot } from "./plot.js";
import { Track } from "./track.js";
import { SECONDS, useLive } from "./use_live.js";

/** Points of a number's trend. */
const TREND_POINTS = 80;

/** What a widget shows: the field's value now, and what it was. */
export function WidgetBody({ client, widget }: { client: Client; widget: Widget }) {
  const box = useRef<HTMLDivElement>(null);
  const live = useLive(client, widget, box);
  useTick();
  return (
    <div class="widget-body" ref={box} data-stale={live?.isStale}>
      {live?.message ? <Content live={live} widget={widget} /> : <p class="empty">Nothing has come yet.</p>}
      {live?.age !== undefined && (
        <p class="freshness">
          {live.isStale ? "Silent for " : ""}
          {formatAge(live.age)}
        </p>
      )}
    </div>
  );
}

function Content({ live, widget }: { live: Live; widget: Widget }) {
  const { topic, path, kind, seconds = SECONDS } = widget;
  const value = live.message && valueAt(valueIn(live.message), path);
  const { times, fields, range, hasRange, version } = live.series;
  const { name, unit } = fieldName(topic, path);
  const values = fields.get(path) ?? [];
  switch (kind) {
    case "plot":
      return (
        <>
          <Reading value={value} unit={unit} />
          <Plot
            title={name}
            times={times}
            values={values}
            version={version}
            range={hasRange ? range : undefined}
            seconds={seconds}
            end={live.now() / 1000}
          />
        </>
      );
    case "gauge":
      return <Gauge values={values} unit={unit} />;
    case "track":
      return <Track series={live.series} path={path} />;
    case "number":
      return (
        <>
          <Reading value={value} unit={unit} />
          <Trend values={values} />
        </>
      );
    case "state":
      return <p class="big words">{shown(value)}</p>;
  }
}

/** The value now, large. */
function Reading({ value, unit }: { value: unknown; unit: string }) {
  return (
    <p class="big">
      {shown(value)}
      {unit && <span class="unit">{unit}</span>}
    </p>
  );
}

/** Without axes: how it went. */
function Trend({ values }: { values: Values }) {
  const points = values.filter((value) => typeof value === "number");
  const every = Math.max(1, Math.floor(points.length / TREND_POINTS));
  const thinned = points.filter((_, index) => (points.length - 1 - index) % every === 0);
  return (
    <svg class="trend-line" viewBox="0 0 240 48" preserveAspectRatio="none" aria-hidden="true">
      <path d={sparkline(thinned, 240, 48)} />
    </svg>
  );
}

function shown(value: unknown): string {
  if (typeof value === "number") return formatNumber(value, decimalsOf(value));
  if (value === undefined || value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
