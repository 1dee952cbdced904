// An answer of the admin API as a component has it.

import type { Client } from "murre";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Poll, type Polled } from "../model/poll.js";
import { useConnection, useVisible } from "./hooks.js";

/** Asks while the page is seen and the broker is there; `ask` stays the same for as long as the question does. What was
 *  answered before stays until there is something newer. */
export function usePoll<T>(client: Client, ask: (signal: AbortSignal) => Promise<T>): Polled<T> & { again(): void } {
  const [polled, setPolled] = useState<Polled<T>>({ answer: undefined, problem: undefined });
  const poll = useMemo(() => new Poll(ask, setPolled), [ask]);
  const isConnected = useConnection(client).name === "connected";
  const isWanted = useVisible() && isConnected;
  useEffect(() => {
    if (!isWanted) return undefined;
    poll.start();
    return () => poll.stop();
  }, [poll, isWanted]);
  return { ...polled, again: () => poll.start() };
}
