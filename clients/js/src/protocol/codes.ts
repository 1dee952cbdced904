// The codes of answers, DISCONNECT and WebSocket closes: one table, that of docs/protocol.md.

/** The protocol's codes by name. Every one but `ok` is 4000 plus the last three digits of the like HTTP status. */
export const Code = {
  /** Accepted, granted; in DISCONNECT: a normal end. */
  ok: 0,
  /** A packet that can't be read. */
  malformed: 4400,
  /** Credentials are missing or wrong. */
  notAuthenticated: 4401,
  /** The client may not do this. */
  notAuthorised: 4403,
  /** No such topic or subscription. */
  notFound: 4404,
  /** Nothing was heard from the client for too long. */
  keepAliveTimeout: 4408,
  /** Another connection came with the same client id. */
  takenOver: 4409,
  /** The client read too slowly. */
  slowConsumer: 4410,
  /** A packet past the limit. */
  tooLarge: 4413,
  /** An invalid topic, filter, option or option value. */
  invalid: 4422,
  /** A limit of the broker is reached. */
  quota: 4429,
  /** A fault of the broker's own. */
  brokerError: 4500,
  /** The broker doesn't have what was asked for. */
  notSupported: 4501,
  /** The broker is going away. */
  shuttingDown: 4503,
} as const;

const TEXTS: ReadonlyMap<number, string> = new Map([
  [Code.ok, "ok"],
  [Code.malformed, "malformed packet"],
  [Code.notAuthenticated, "not authenticated"],
  [Code.notAuthorised, "not authorised"],
  [Code.notFound, "no such topic or subscription"],
  [Code.keepAliveTimeout, "keep-alive timeout"],
  [Code.takenOver, "session taken over"],
  [Code.slowConsumer, "slow consumer"],
  [Code.tooLarge, "packet too large"],
  [Code.invalid, "invalid topic, filter or option"],
  [Code.quota, "rate or quota exceeded"],
  [Code.brokerError, "broker error"],
  [Code.notSupported, "not supported"],
  [Code.shuttingDown, "shutting down"],
]);

const RECONNECTING: ReadonlySet<number> = new Set([
  Code.keepAliveTimeout,
  Code.slowConsumer,
  Code.quota,
  Code.brokerError,
  Code.shuttingDown,
]);

/** What a code says, in a few words. */
export function codeText(code: number): string {
  return TEXTS.get(code) ?? "unknown code";
}

/** Whether a client that was disconnected with this code should connect again by itself. */
export function shouldReconnect(code: number): boolean {
  return RECONNECTING.has(code) || !TEXTS.has(code);
}

/** The protocol's code in a WebSocket close code; undefined where it is none. */
export function codeOfClose(close: number): number | undefined {
  return close >= 4000 && close < 5000 ? close : undefined;
}
