// What an application sees of the connection.

/** What the broker granted with a connection. */
export interface ConnectionInfo {
  /** The client's name, given by the broker where it had none. */
  clientId: string;
  /** The broker's program and version. */
  server: string;
  /** Names the run of positions that the broker gives. */
  epoch: string;
  /** Whether a kept session goes on. */
  sessionPresent: boolean;
  /** Seconds for which the broker keeps the session after a disconnect. */
  sessionExpiry: number;
  /** Whether the broker has a store. */
  durable: boolean;
  /** Seconds; 0: no supervision. */
  keepAlive: number;
}

/**
 * The state of a client. A state is never changed: another one takes its place, so that it may be compared by identity.
 *
 * "connecting": the `attempt`-th one since the last connection is under way. "connected". "waiting": there is no
 * connection, for the `reason` given, and the next attempt begins in `retryIn` milliseconds from the change of state.
 * "closing": what is pending is being sent. "closed": for good; with a `code` where it was the broker's wish.
 */
export type ClientState =
  | { readonly name: "connecting"; readonly attempt: number }
  | ({ readonly name: "connected" } & Readonly<ConnectionInfo>)
  | { readonly name: "waiting"; readonly reason: string; readonly code: number | undefined; readonly retryIn: number }
  | { readonly name: "closing" }
  | { readonly name: "closed"; readonly reason: string; readonly code: number | undefined };
