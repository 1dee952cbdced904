// Amounts for people: bytes, rates of bytes, shares, times that last.

import { formatNumber } from "../../../page/figures.js";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const KIBI = 1024;

/** So many bytes in the unit that leaves one to four digits: "512 B", "1.5 KiB", "24 MiB". */
export function formatBytes(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (Math.abs(size) >= KIBI && unit < BYTE_UNITS.length - 1) {
    size /= KIBI;
    unit += 1;
  }
  return `${formatNumber(size, unit > 0 && Math.abs(size) < 10 ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

/** A count that goes up by thousands: "0", "0.4", "12.5", "1,240". */
export function formatCount(count: number): string {
  return formatNumber(count, count !== 0 && Math.abs(count) < 99.95 && !Number.isInteger(count) ? 1 : 0);
}

/** So many a second: "0/s", "12.5/s"; a dash while it isn't known. */
export function formatPerSecond(rate: number | null): string {
  return rate === null ? "–" : `${formatCount(rate)}/s`;
}

/** A share of one as per cent: "0 %", "4.2 %", "38 %". */
export function formatShare(share: number): string {
  const percent = share * 100;
  return `${formatNumber(percent, percent > 0 && percent < 9.95 ? 1 : 0)} %`;
}

/** Milliseconds as a time that lasts, in its two largest units: "40 s", "5 min 10 s", "3 h 20 min", "12 d 4 h". */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (days > 0) return both(days, "d", hours % 24, "h");
  if (hours > 0) return both(hours, "h", minutes % 60, "min");
  return minutes > 0 ? both(minutes, "min", seconds % 60, "s") : `${seconds} s`;
}

function both(large: number, unit: string, small: number, smallUnit: string): string {
  return small > 0 ? `${large} ${unit} ${small} ${smallUnit}` : `${large} ${unit}`;
}
