// A uPlot in the document, from its beginning to its end.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { useDark } from "./hooks.js";

/** What a plot is, without its size, and what it shows at first. */
export interface Drawing {
  options: Omit<uPlot.Options, "width" | "height">;
  data: uPlot.AlignedData;
}

/**
 * A plot that fills the element at `place`, as that changes too. It is drawn anew when one of `causes` changes, and when
 * the viewer turns dark or light, since its colours are those of the element.
 */
export function useUplot(draw: (element: HTMLElement) => Drawing, causes: readonly unknown[]) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const isDark = useDark();
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const { options, data } = draw(element);
    const made = new uPlot({ ...options, ...sizeOf(element) }, data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize(sizeOf(element)));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [...causes, isDark]);
  return { place, plot };
}

function sizeOf(element: HTMLElement) {
  return { width: element.clientWidth, height: element.clientHeight };
}
