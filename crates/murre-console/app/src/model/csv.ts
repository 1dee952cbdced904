// A series as a table for other programs, by RFC 4180.

import type { Series } from "./series.js";

/** A line for each time, in RFC 3339; where the plot breaks all fields are empty. */
export function asCsv({ times, fields }: Pick<Series, "times" | "fields">): string {
  const lines = [["time", ...[...fields.keys()].map((path) => path || "value")]];
  for (const [index, seconds] of times.entries()) {
    const numbers = [...fields.values()].map((values) => values[index] ?? "");
    lines.push([new Date(Math.round(seconds * 1000)).toISOString(), ...numbers.map(String)]);
  }
  return lines.map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
