// How much a plot can show: what a subscription asks for, so that no more is sent.

import type { ViewOptions } from "murre";

/** Seconds that a window can have: the next one from what a pixel stands for, so that plots of about one width share it. */
const WINDOWS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600] as const;

/** As much as is to be seen: values a second, or the least, the mean and the most of each time of so many seconds. */
export type Density = { readonly maxRate: number } | { readonly windowSeconds: number };

/**
 * What `pixels` can show of `seconds`: a window for each pixel, so that no peak between two values is lost. Windows go by
 * the time of the readings, so that those of a device that was away stand where they belong; a rate would leave them out.
 */
export function densityOf(pixels: number, seconds: number): Density {
  const perPixel = seconds / Math.max(1, pixels);
  return { windowSeconds: WINDOWS.find((each) => each >= perPixel) ?? 3600 };
}

/** The points a second that a density comes to. */
export function pointsPerSecond(density: Density): number {
  return "maxRate" in density ? density.maxRate : 1 / density.windowSeconds;
}

/** The options of the view. What has no number at one of `paths`, such as a switch, passes a window as it is. */
export function viewFor(density: Density, paths: readonly string[]): ViewOptions {
  if ("maxRate" in density) return { maxRate: density.maxRate };
  const seconds = density.windowSeconds;
  return {
    window: { seconds, of: [...paths], give: ["min", "mean", "max"], by: "source" },
    onError: "pass",
  };
}

/** The least, the mean and the most of one path over a window. */
export interface Figures {
  min: number;
  mean: number;
  max: number;
}

/** When a window began and ended, in Unix milliseconds, and the figures of its paths. */
export interface WindowFigures {
  start: number;
  end: number;
  of: ReadonlyMap<string, Figures>;
}

/** The figures at `paths` where a value is what a window of viewFor gives; undefined where it is a reading. */
export function figuresIn(value: unknown, paths: readonly string[]): WindowFigures | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const window = value as Record<string, unknown>;
  const { start, end } = window;
  if (typeof start !== "number" || typeof end !== "number") return undefined;
  const of = new Map<string, Figures>();
  for (const path of paths) {
    const figures = window[path || "value"];
    if (!areFigures(figures)) return undefined;
    of.set(path, figures);
  }
  return of.size > 0 ? { start, end, of } : undefined;
}

function areFigures(value: unknown): value is Figures {
  if (typeof value !== "object" || value === null) return false;
  const { min, mean, max } = value as Record<string, unknown>;
  return [min, mean, max].every((each) => typeof each === "number");
}
