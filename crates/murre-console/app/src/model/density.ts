// How much a plot can show: what a subscription asks for, so that no more is sent.

import type { ViewOptions } from "murre";

/** Widths are taken as whole multiples of so many pixels, so that plots of about one width share the broker's work. */
const PIXELS_STEP = 100;
/** Seconds of a window, from which the next larger is taken. */
const WINDOWS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600] as const;

/** As much as is to be seen: values a second, or the least, the mean and the most of each time of so many seconds. */
export type Density = { readonly maxRate: number } | { readonly windowSeconds: number };

/**
 * What `pixels` can show of `seconds`: a value for each pixel, or, where a pixel stands for a second or more, a window,
 * so that no peak between two values is lost.
 */
export function densityOf(pixels: number, seconds: number): Density {
  const points = Math.max(1, Math.ceil(pixels / PIXELS_STEP)) * PIXELS_STEP;
  const perPoint = seconds / points;
  if (perPoint < 1) return { maxRate: Math.min(1000, 1 / perPoint) };
  return { windowSeconds: WINDOWS.find((each) => each >= perPoint) ?? 3600 };
}

/** The points a second that a density comes to. */
export function pointsPerSecond(density: Density): number {
  return "maxRate" in density ? density.maxRate : 1 / density.windowSeconds;
}

/**
 * The options of the view. What has no number at `path`, such as a switch, passes a window as it is, no denser than the
 * windows come. Windows go by the time of the readings, so that those of a device that was away stand where they belong.
 */
export function viewFor(density: Density, path: string): ViewOptions {
  if ("maxRate" in density) return { maxRate: density.maxRate };
  const seconds = density.windowSeconds;
  const window = { seconds, of: [path], give: ["min", "mean", "max"], by: "source" as const };
  return { window, maxRate: Math.max(0.01, 2 / seconds), onError: "pass" };
}

/** The least, the mean and the most over a window, and when it began and ended in Unix milliseconds. */
export interface Figures {
  start: number;
  end: number;
  min: number;
  mean: number;
  max: number;
}

/** The figures at `path` where a value is what a window of viewFor gives; undefined where it is a reading. */
export function figuresIn(value: unknown, path: string): Figures | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const window = value as Record<string, unknown>;
  const figures = window[path || "value"] as Record<string, unknown> | null | undefined;
  if (typeof figures !== "object" || figures === null) return undefined;
  const { start, end } = window;
  const { min, mean, max } = figures;
  const numbers = [start, end, min, mean, max];
  if (!numbers.every((each) => typeof each === "number")) return undefined;
  return { start, end, min, mean, max } as Figures;
}
