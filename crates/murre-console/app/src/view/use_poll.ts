// An answer of the admin API as a component has it.

import type { Client } from "murre";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { Poll, type Polled } from "../model/poll.js";
import { useConnection, useVisible } from "./hooks.js";

/** Asks while the page is seen and the broker is there; `ask` stays the same for as long as the question does. What was
 *  answered before stays until there is something newer. */
export function usePoll<T>(client: Client, ask: (signal: AbortSignal) => Promise<T>): Polled<T> & { again(): void } {
  const [polled, setPolled] = useState<Polled<T>>({ answer: undefined, problem: undefined });
  const poll = useMemo(() => {
    const hear = ({ answer, problem }: Polled<T>) =>
      setPolled((before) => ({ answer: answer ?? before.answer, problem }));
    return new Poll(ask, hear);
  }, [ask]);
  const isConnected = useConnection(client).name === "connected";
  const isWanted = useVisible() && isConnected;
  // At once: a page that is hidden draws no frame for an effect to follow.
  useLayoutEffect(() => {
    if (!isWanted) return undefined;
    poll.start();
    return () => poll.stop();
  }, [poll, isWanted]);
  return { ...polled, again: () => poll.start() };
}
