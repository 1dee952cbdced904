// One field's readings for as long as a component is there, as dense as its width can show.

import type { Client } from "murre";
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Kind, Widget } from "../model/dashboard.js";
import { type Density, densityOf } from "../model/density.js";
import { Live } from "../model/live.js";

/** Seconds that a widget looks back unless it says more. */
export const SECONDS = 300;
/** Values a second: nobody reads a number faster. */
const READ_RATE = 2;
/** Pixels beside a plot for its numbers. */
export const AXIS_PIXELS = 52;
/** Milliseconds in which a width that changes comes to rest. */
const REST_MS = 200;

/** The readings of a widget that has the place `box`; undefined until that is measured. */
export function useLive(client: Client, widget: Widget, box: RefObject<HTMLElement | null>): Live | undefined {
  const { topic, path, kind, seconds = SECONDS } = widget;
  const pixels = useWidth(box);
  const isMeasured = pixels > 0;
  const [live, setLive] = useState<Live>();
  useEffect(() => {
    if (!isMeasured) return undefined;
    const made = new Live(client, {
      topic,
      paths: pathsFor(kind, path),
      seconds,
      density: densityFor(kind, pixels, seconds),
    });
    setLive(made);
    return () => made.close();
  }, [client, topic, path, kind, seconds, isMeasured]);
  useEffect(() => {
    if (isMeasured) live?.show(densityFor(kind, pixels, seconds));
  }, [live, kind, pixels, seconds, isMeasured]);
  return live;
}

function densityFor(kind: Kind, pixels: number, seconds: number): Density {
  if (kind === "plot") return densityOf(pixels - AXIS_PIXELS, seconds);
  return kind === "track" ? densityOf(pixels, seconds) : { maxRate: READ_RATE };
}

/** The numbers that a widget is about. */
function pathsFor(kind: Kind, path: string): string[] {
  return kind === "track" ? [`${path}.0`, `${path}.1`] : [path];
}

/** The width of an element in pixels, 0 until it is known; changes when it has come to rest. */
export function useWidth(box: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    setWidth(element.clientWidth);
    let resting: ReturnType<typeof setTimeout> | undefined;
    const observer = new ResizeObserver(() => {
      clearTimeout(resting);
      resting = setTimeout(() => setWidth(element.clientWidth), REST_MS);
    });
    observer.observe(element);
    return () => {
      clearTimeout(resting);
      observer.disconnect();
    };
  }, [box]);
  return width;
}
