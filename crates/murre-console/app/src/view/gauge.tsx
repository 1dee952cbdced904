// A number within the range that it had.

import { decimalsOf, formatNumber } from "../../../page/figures.js";
import type { Values } from "../model/series.js";

/** Half a circle over the range of the values, widened to round numbers. */
export function Gauge({ values, unit }: { values: Values; unit: string }) {
  const numbers = values.filter((value) => typeof value === "number");
  const now = numbers.at(-1);
  if (now === undefined) return <p class="empty">It has no number.</p>;
  const [low, high] = unit === "%" ? [0, 100] : roundRange(Math.min(...numbers), Math.max(...numbers));
  const share = Math.min(1, Math.max(0, (now - low) / (high - low)));
  const [x, y] = [60 - 50 * Math.cos(Math.PI * share), 60 - 50 * Math.sin(Math.PI * share)];
  return (
    <div class="gauge">
      <svg viewBox="0 0 120 66" aria-hidden="true">
        <path class="track" d="M10 60 A50 50 0 0 1 110 60" />
        <path class="level" d={`M10 60 A50 50 0 0 1 ${x.toFixed(1)} ${y.toFixed(1)}`} />
      </svg>
      <p>
        <span class="quiet">{formatNumber(low, decimalsOf(low))}</span>
        <strong>
          {formatNumber(now, decimalsOf(now))}
          <span class="unit">{unit}</span>
        </strong>
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
