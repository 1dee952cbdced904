// What an application can ask for, and the protocol's words for it.

import { checked, given } from "./checks.js";
import type { Backoff } from "./core/backoff.js";
import type { Buffer } from "./core/outgoing.js";
import type { ResumePoint } from "./core/resume.js";
import { encodePayload, type Format, formatNumber } from "./protocol/payload.js";
import type { WireOptions } from "./protocol/to_broker.js";
import type { SocketConstructor } from "./shell/socket.js";

/** A moment: Unix milliseconds or a Date. */
export type Moment = number | Date;

/** What the broker publishes when this client is gone without a farewell. */
export interface Will {
  topic: string;
  value: unknown;
  /** How the value becomes a payload; see PublishOptions. */
  format?: Format;
  /** Kept as the topic's value. */
  retain?: boolean;
  /** Seconds between the connection's end and the will; none where the client is back by then. */
  delay?: number;
}

/** What `connect` takes. */
export interface ConnectOptions {
  /** The name to be known by; two clients with one name put each other out. The broker gives one where it isn't said. */
  clientId?: string;
  /** For authentication by token. */
  token?: string;
  /** For authentication by password. */
  username?: string;
  /** For authentication by password. */
  password?: string;
  /** What the client is, for people who look at the broker. */
  agent?: string;
  /** Seconds of silence after which the connection counts as dead, on both sides; 60 where it isn't said, 0: never. */
  keepAlive?: number;
  /** Seconds for which the broker keeps the session, its acknowledged subscriptions, after a disconnect; 0: not at all. */
  sessionExpiry?: number;
  will?: Will;
  /** The bounds of what waits to be sent. */
  buffer?: Partial<Buffer>;
  /** The bounds of the waits between attempts to connect. */
  backoff?: Partial<Backoff>;
  /** Milliseconds that one attempt to connect may take; 10,000 where it isn't said. */
  connectTimeout?: number;
  /** Milliseconds in which what is pending may still be sent when the client is closed; 5,000 where it isn't said. */
  closeTimeout?: number;
  /** Closes the client when it is aborted. */
  signal?: AbortSignal;
  /** Makes WebSockets: the platform's, or that of the package `ws`, where it isn't said. */
  webSocket?: SocketConstructor;
}

/** What `publish` takes beside topic and value. */
export interface PublishOptions {
  /**
   * true, where it isn't said: the promise resolves when the broker has the message, which is sent again on a new
   * connection until then. false: it resolves when the message is in the outgoing buffer.
   */
  ack?: boolean;
  /**
   * How the value becomes a payload. Where it isn't said: bytes as raw bytes, a string as text, anything else as JSON.
   * Bytes under another format are taken for a payload that is encoded already.
   */
  format?: Format;
  /** Kept as the topic's value, by a broker with a store also over its end. An empty payload deletes it. */
  retain?: boolean;
  /** Seconds after which the message is of no use. */
  expiry?: number;
  /** When the reading was taken, for readings that are sent late. */
  time?: Moment;
  /** Rises within a client id: what was published already is not published again. */
  sequence?: number;
  /** Where an answer is awaited. `request` does this by itself. */
  replyTo?: string;
  /** What an answer has to hand back. */
  correlation?: Uint8Array;
  /** The application's own. */
  properties?: Record<string, string>;
  /** Takes the message back where it was not sent yet, and rejects the promise in any case. */
  signal?: AbortSignal;
}

/** Where a subscription begins. */
export type From = "last" | "live" | { last: number } | { since: Moment } | ResumePoint;

/**
 * The view: what the broker does with messages before it sends them. The protocol page says what is there today; what
 * the broker doesn't have it refuses with 4501.
 */
export interface ViewOptions {
  /** Messages a second for each topic; newer values take the place of waiting ones, the last one always comes. */
  maxRate?: number;
  /** A condition in CEL: `payload.celsius > 30.0`. */
  where?: string;
  /** Paths in the payload: only these are sent. */
  select?: string[];
  /** Nothing is sent until the value at `path` (the payload itself where it isn't said) has moved so far from the last one sent. */
  deadband?: { path?: string; abs?: number; percent?: number; silenceMax?: number };
  /** A message for each topic and window of time instead of its messages. */
  window?: { seconds: number; of: string[]; give: string[]; step?: number; empty?: boolean; by?: "broker" | "source" };
  /** After the first value of a topic only what changed is sent. The SDK puts it together: messages look the same. */
  patch?: boolean;
  /** Seconds of silence of a topic after which the broker says so on `$murre/fresh/<topic>`. */
  expect?: number;
  /** What becomes of a message that the view can't be applied to. */
  onError?: "skip" | "pass";
}

/** What `subscribe` takes beside the filter. */
export interface SubscribeOptions extends ViewOptions {
  /** Where to begin, on each connection unless it resumes; "last" where it isn't said. */
  from?: From;
  /**
   * After a reconnect the subscription goes on behind the last message that came, as far as the broker keeps what was
   * published meanwhile. Before the first CAUGHT_UP it begins again. With `from` a resume point this is so anyway.
   */
  resume?: boolean;
  /**
   * The broker keeps every message until it is acknowledged: at least once. true: a message is acknowledged when the next
   * one is asked for, or its listener has returned. "explicit": by `message.ack()`.
   */
  ack?: boolean | "explicit";
  /** What the broker does when this client reads too slowly; "drop_oldest" where it isn't said. */
  onSlow?: "drop_oldest" | "conflate" | "disconnect";
  /** How many messages wait here for the reader; 16,384 where it isn't said. The oldest go when there are more. */
  queue?: number;
  /** Ends the subscription when it is aborted. */
  signal?: AbortSignal;
}

type Nullable<T> = { [K in keyof T]?: T[K] | null };

/** What of a subscription can be changed while it runs; null takes an option of the view away. */
export type UpdateOptions = Nullable<Omit<ViewOptions, "patch">> & Pick<SubscribeOptions, "onSlow">;

/** The view in force. */
export interface ViewInForce extends ViewOptions {
  /** The number of messages of each topic, where a limit made it fewer. */
  last?: number;
}

function seconds(name: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : checked(name, Math.max(0, Math.ceil(value)), "a whole number from 0 on");
}

function millis(moment: Moment): number {
  const ms = Math.floor(Number(moment));
  if (!Number.isSafeInteger(ms) || ms < 0)
    throw new TypeError(`${String(moment)} is no time: expected Unix milliseconds`);
  return ms;
}

/** The options of PUBLISH. Throws TypeError. */
export function publishOptions(options: PublishOptions): WireOptions {
  const { retain, expiry, time, sequence, replyTo, correlation, properties } = options;
  return {
    retain: checked("retain", retain, "true or false") || undefined,
    expiry: seconds("expiry", expiry),
    time: time === undefined ? undefined : millis(time),
    sequence: checked("sequence", sequence, "a whole number from 0 on"),
    reply_to: checked("replyTo", replyTo, "a string"),
    correlation: checked("correlation", correlation, "a Uint8Array"),
    properties: checked("properties", properties, "an object of strings"),
  };
}

/** The options of SUBSCRIBE, but for a resume point, which changes. Throws TypeError. */
export function subscribeOptions(options: SubscribeOptions): WireOptions {
  const { from, ack, onSlow } = options;
  return {
    from: wireFrom(from),
    ack: ack ? true : undefined,
    on_slow: checked("onSlow", onSlow, "a string"),
    ...viewOptions(options),
  };
}

function wireFrom(from: From | undefined): unknown {
  if (typeof from !== "object" || from === null) return checked("from", from, "a string");
  if ("since" in from) return { since: millis(from.since) };
  if ("last" in from) return { last: given("from.last", from.last, "a whole number from 0 on") };
  const after = given("from.after", from.after, "an array of positions");
  return { after, epoch: given("from.epoch", from.epoch, "a string") };
}

/** Options that are to change in place: those that are named. Throws TypeError. */
export function updateOptions(options: UpdateOptions): WireOptions {
  const named = Object.entries({ on_slow: checked("onSlow", options.onSlow, "a string"), ...viewOptions(options) });
  return Object.fromEntries(named.filter(([, value]) => value !== undefined));
}

/** The view's part of the options of SUBSCRIBE. */
function viewOptions(options: Nullable<ViewOptions>): WireOptions {
  const { deadband, onError } = options;
  return {
    max_rate: checked("maxRate", options.maxRate, "a number"),
    where: checked("where", options.where, "a string"),
    select: checked("select", options.select, "an array of strings"),
    deadband: checked("deadband", deadband, "an object") && snakeCased(deadband),
    window: checked("window", options.window, "an object") && snakeCased(options.window),
    patch: checked("patch", options.patch, "true or false"),
    expect: checked("expect", options.expect, "a number"),
    on_error: checked("onError", onError, "a string"),
  };
}

/** The same values under the protocol's names: `silence_max` for `silenceMax`. */
function snakeCased(options: object | null | undefined): WireOptions {
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(options ?? {}).map(([key, value]) => [snake(key), value]));
}

/** The view of SUBSCRIBED, under the names of this SDK. */
export function viewInForce(view: WireOptions): ViewInForce {
  const camel = (key: string) => key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const cased = (value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [camel(key), cased(inner)]))
      : value;
  return cased(view) as ViewInForce;
}

/** The will of CONNECT. */
export function wireWill({ topic, value, format, retain, delay }: Will): WireOptions {
  const payload = encodePayload(value, format);
  return {
    topic: given("will.topic", topic, "a string"),
    format: formatNumber(payload.format),
    payload: payload.bytes,
    retain: checked("will.retain", retain, "true or false") || undefined,
    delay: seconds("will.delay", delay),
  };
}
