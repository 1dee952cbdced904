// What the detail of one topic asks for by itself: its numbers as its plots can show them, its last messages in full.

import type { Client, Subscription } from "murre";
import type { RefObject } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type Density, densityOf, pointsPerSecond } from "../model/density.js";
import { SERIES_POINTS_MAX, Series } from "../model/series.js";
import { Topic } from "../model/topic.js";
import { AXIS_PIXELS, useWidth } from "./use_live.js";

/** Seconds that the plots should hold of a topic that comes as fast as it likes. */
const SECONDS = 60;
/** Messages to begin with; a topic remembers as many. */
const RECENT = 10;

/** The topic's numbers: what the broker keeps of them, and what comes; as dense as `box` is wide. */
export function useSeries(client: Client, name: string, box: RefObject<HTMLElement | null>): Series {
  const pixels = useWidth(box);
  const rate = pointsPerSecond(densityFor(pixels));
  const series = useMemo(() => new Series(), [name]);
  const [asked, setAsked] = useState<{ subscription: Subscription; rate: number }>();
  const isMeasured = pixels > 0;
  useEffect(() => {
    if (!isMeasured) return undefined;
    const made = client.subscribe(name, { from: { last: SERIES_POINTS_MAX }, maxRate: rate, resume: true });
    series.fillFrom(made);
    setAsked({ subscription: made, rate });
    return () => void made.close();
  }, [client, name, series, isMeasured]);
  useEffect(() => {
    if (!asked || asked.rate === rate) return;
    asked.rate = rate;
    // Where the broker has no views it sends all, as before.
    asked.subscription.update({ maxRate: rate }).catch(() => undefined);
  }, [asked, rate]);
  return series;
}

function densityFor(pixels: number): Density {
  return densityOf(Math.max(1, pixels - AXIS_PIXELS), SECONDS);
}

/** The topic with all its messages from the last ones on. */
export function useTopic(client: Client, name: string): Topic {
  const topic = useMemo(() => new Topic(name), [name]);
  useEffect(() => {
    const subscription = client.subscribe(name, { from: { last: RECENT }, onSlow: "conflate", resume: true });
    let isPast = true;
    subscription.on("message", (message) => {
      topic.take(message, performance.now(), isPast || message.retained, Date.now() - message.time);
    });
    subscription.on("caughtUp", () => {
      isPast = false;
    });
    return () => void subscription.close();
  }, [client, name, topic]);
  return topic;
}
