// Where something has been, on a plain grid.

import type { Series } from "../model/series.js";

const WIDTH = 320;
const HEIGHT = 160;
const MARGIN = 12;
/** Degrees: something that stands still has a field around it. */
const SPAN_MIN = 0.0002;

/** The way along `path`, whose first two numbers are longitude and latitude in degrees, as GeoJSON has them. */
export function Track({ series, path }: { series: Series; path: string }) {
  const east = series.fields.get(`${path}.0`);
  const north = series.fields.get(`${path}.1`);
  const places = (east ?? []).flatMap((longitude, index) => {
    const latitude = north?.[index];
    return typeof longitude !== "number" || typeof latitude !== "number" ? [] : [[longitude, latitude] as const];
  });
  const last = places.at(-1);
  if (!last) return <p class="empty">It has no coordinates.</p>;
  const points = projected(places);
  const [x, y] = points.at(-1) ?? [0, 0];
  const [longitude, latitude] = last;
  const where = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
  return (
    <figure class="map">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`A track that ends at ${where}`}>
        <polyline points={points.map((point) => point.map((at) => at.toFixed(1)).join(",")).join(" ")} />
        <circle cx={x} cy={y} r={4} />
      </svg>
      <figcaption>{where}</figcaption>
    </figure>
  );
}

/** Places as points of the field, in one scale: a degree of longitude is the shorter the further it is from the equator. */
function projected(places: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const [west, east] = range(places.map(([longitude]) => longitude));
  const [south, north] = range(places.map(([, latitude]) => latitude));
  const shrink = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const [wide, high] = [Math.max((east - west) * shrink, SPAN_MIN), Math.max(north - south, SPAN_MIN)];
  const scale = Math.min((WIDTH - 2 * MARGIN) / wide, (HEIGHT - 2 * MARGIN) / high);
  return places.map(([longitude, latitude]) => [
    WIDTH / 2 + (longitude - (west + east) / 2) * shrink * scale,
    HEIGHT / 2 - (latitude - (south + north) / 2) * scale,
  ]);
}

function range(values: readonly number[]): [low: number, high: number] {
  return [Math.min(...values), Math.max(...values)];
}
