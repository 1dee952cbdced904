// What the detail of one topic asks for by itself: its numbers as its plots can show them, its last messages in full.

import type { Client, Subscription } from "murre";
import type { RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { SERIES_POINTS_MAX, Series } from "../model/series.js";
import { Topic } from "../model/topic.js";
import { AXIS_PIXELS, useWidth } from "./use_live.js";

/** Seconds that the plots should hold of a topic that comes as fast as it likes. */
const SECONDS = 60;
/** Messages to begin with; a topic remembers as many. */
const RECENT = 10;

/**
 * The topic's numbers: what the broker keeps of them, and what comes; as dense as `box` is wide. Only a topic that comes
 * faster than that is thinned out: one that doesn't loses nothing when what its device kept comes all at once.
 */
export function useSeries(client: Client, name: string, box: RefObject<HTMLElement | null>): Series {
  const series = useMemo(() => new Series(), [name]);
  const [subscription, setSubscription] = useState<Subscription>();
  useEffect(() => {
    const made = client.subscribe(name, { from: { last: SERIES_POINTS_MAX }, resume: true });
    series.fillFrom(made);
    setSubscription(made);
    return () => void made.close();
  }, [client, name, series]);
  const shown = Math.max(1, useWidth(box) - AXIS_PIXELS) / SECONDS;
  const wasFast = useRef(false);
  wasFast.current ||= series.perSecond > shown;
  const maxRate = wasFast.current ? shown : undefined;
  useEffect(() => {
    // Where the broker has no views it sends all, as before.
    if (maxRate !== undefined) subscription?.update({ maxRate }).catch(() => undefined);
  }, [subscription, maxRate]);
  return series;
}

/** The topic with all its messages from the last ones on. */
export function useTopic(client: Client, name: string): Topic {
  const topic = useMemo(() => new Topic(name), [name]);
  useEffect(() => {
    const subscription = client.subscribe(name, { from: { last: RECENT }, onSlow: "conflate", resume: true });
    let isPast = true;
    subscription.on("message", (message) => {
      topic.take(message, performance.now(), isPast || message.retained, { age: Date.now() - message.time });
    });
    subscription.on("caughtUp", () => {
      isPast = false;
    });
    return () => void subscription.close();
  }, [client, name, topic]);
  return topic;
}
