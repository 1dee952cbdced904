// What a subscription brings, in order.

import type { WireMessage } from "../protocol/from_broker.js";
import type { Recovery, ResumePoint } from "./resume.js";

/** Something that a subscription brings, with messages as M; for runs see Tracker. */
export type Item<M = WireMessage> =
  | { kind: "message"; run: number; message: M }
  | { kind: "caughtUp"; run: number; point: ResumePoint; count: number }
  | { kind: "resumed"; run: number; recovery: Recovery }
  | { kind: "restarted"; run: number };

/** Who takes what a subscription brings. */
export interface Sink {
  /** The broker granted it, on this connection. `view`: what is in force, where a limit revised what was asked for. */
  granted(view: Record<string, unknown> | undefined): void;
  deliver(item: Item): void;
  /** What was delivered and not acknowledged comes again. */
  forgetUnacknowledged(): void;
  /** So many messages were left out by the broker. */
  dropped(count: number): void;
  /** Nothing comes any more; with an error where it ended by itself. */
  end(error: Error | undefined): void;
}

/** Bytes that an item counts for where memory is bounded. */
export function weightOf(item: Item): number {
  return item.kind === "message" ? item.message.payload.length + 2 * item.message.topic.length + 128 : 0;
}
