// The packets that a broker sends, and reading them.

import { MalformedPacketError, malformed, optional, required } from "./elements.js";
import { MsgpackReader } from "./msgpack_reader.js";

/** CONNECTED: what the broker grants. */
export interface Connected {
  type: "connected";
  clientId: string;
  sessionPresent: boolean;
  /** Seconds. */
  sessionExpiry: number;
  durable: boolean;
  epoch: string;
  /** Seconds; 0: no supervision. */
  keepAlive: number;
  /** Bytes of one packet; 0 where the broker says nothing. */
  maxPacket: number;
  /** Bytes of one WebSocket message; 0 where the broker says nothing. */
  maxMessage: number;
  server: string;
  /** Unix milliseconds at the broker. */
  time: number | undefined;
}

/** PUBLISHED: the answer to an acknowledged publish. */
export interface Published {
  type: "published";
  id: number;
  code: number;
  position: number;
  reason: string | undefined;
}

/** SUBSCRIBED: granted or refused. */
export interface Subscribed {
  type: "subscribed";
  sub: number;
  code: number;
  reason: string | undefined;
  rule: string | undefined;
  view: Record<string, unknown> | undefined;
  recovered: boolean | undefined;
  lost: string | undefined;
}

/** UNSUBSCRIBED. */
export interface Unsubscribed {
  type: "unsubscribed";
  sub: number;
  code: number;
}

/** The options of a MESSAGE. */
export interface MessageOptions {
  time?: number | undefined;
  retain?: boolean | undefined;
  patch?: boolean | undefined;
  replyTo?: string | undefined;
  correlation?: Uint8Array | undefined;
  properties?: Record<string, unknown> | undefined;
  expiry?: number | undefined;
}

/** MESSAGE. The payload is a view of the WebSocket message that it came in. */
export interface WireMessage {
  type: "message";
  sub: number;
  topic: string;
  format: number;
  payload: Uint8Array;
  time: number;
  position: number;
  options: MessageOptions | undefined;
}

/** DISCONNECT. */
export interface Disconnect {
  type: "disconnect";
  code: number;
  reason: string;
  /** Milliseconds. */
  retryAfter: number | undefined;
}

/** NOTICE. */
export interface WireNotice {
  type: "notice";
  kind: string;
  sub: number | undefined;
  count: number | undefined;
  topics: Record<string, unknown> | undefined;
  reason: string;
  code: number | undefined;
}

/** CAUGHT_UP. */
export interface CaughtUp {
  type: "caught_up";
  sub: number;
  positions: number[];
  count: number;
}

/** A packet that a broker sends; `unknown`: of a later protocol, to be ignored. */
export type BrokerPacket =
  | Connected
  | Published
  | Subscribed
  | Unsubscribed
  | WireMessage
  | Disconnect
  | WireNotice
  | CaughtUp
  | { type: "ping" }
  | { type: "pong" }
  | { type: "unknown" };

type Elements = readonly unknown[];

const READERS: Record<number, (elements: Elements) => BrokerPacket> = {
  2: connected,
  4: published,
  6: subscribed,
  8: ([, sub, code]) => ({
    type: "unsubscribed",
    sub: required(sub, "uint", "UNSUBSCRIBED.sub"),
    code: required(code, "uint", "UNSUBSCRIBED.code"),
  }),
  9: message,
  11: () => ({ type: "ping" }),
  12: () => ({ type: "pong" }),
  13: ([, code, reason, retryAfter]) => ({
    type: "disconnect",
    code: optional(code, "uint", "DISCONNECT.code") ?? 0,
    reason: optional(reason, "str", "DISCONNECT.reason") ?? "",
    retryAfter: optional(retryAfter, "uint", "DISCONNECT.retry_after"),
  }),
  14: notice,
  15: caughtUp,
};

/** The packets of one WebSocket message, one after the other. Throws MalformedPacketError; what came before stands. */
export function* readPackets(bytes: Uint8Array): Generator<BrokerPacket, void, undefined> {
  const reader = new MsgpackReader(bytes);
  while (!reader.done) yield readPacket(reader);
}

function readPacket(reader: MsgpackReader): BrokerPacket {
  try {
    const elements = reader.value();
    if (!Array.isArray(elements)) throw new MalformedPacketError("packet: expected array");
    const type = required(elements[0], "uint", "packet.type");
    return READERS[type]?.(elements) ?? { type: "unknown" };
  } catch (error) {
    throw malformed(error);
  }
}

function connected([, info]: Elements): BrokerPacket {
  const keys = required(info, "map", "CONNECTED.info");
  const place = (key: string) => `CONNECTED.info.${key}`;
  const uint = (key: string) => optional(keys[key], "uint", place(key)) ?? 0;
  const bool = (key: string) => optional(keys[key], "bool", place(key)) ?? false;
  const str = (key: string) => optional(keys[key], "str", place(key)) ?? "";
  return {
    type: "connected",
    clientId: str("client_id"),
    sessionPresent: bool("session_present"),
    sessionExpiry: uint("session_expiry"),
    durable: bool("durable"),
    epoch: str("epoch"),
    keepAlive: uint("keep_alive"),
    maxPacket: uint("max_packet"),
    maxMessage: uint("max_message"),
    server: str("server"),
    time: optional(keys.time, "uint", place("time")),
  };
}

function published([, id, code, position, reason]: Elements): BrokerPacket {
  return {
    type: "published",
    id: required(id, "uint", "PUBLISHED.id"),
    code: required(code, "uint", "PUBLISHED.code"),
    position: required(position, "uint", "PUBLISHED.position"),
    reason: optional(reason, "str", "PUBLISHED.reason"),
  };
}

function subscribed([, sub, code, info]: Elements): BrokerPacket {
  const keys = optional(info, "map", "SUBSCRIBED.info") ?? {};
  const str = (key: string) => optional(keys[key], "str", `SUBSCRIBED.info.${key}`);
  const view = optional(keys.view, "map", "SUBSCRIBED.info.view");
  return {
    type: "subscribed",
    sub: required(sub, "uint", "SUBSCRIBED.sub"),
    code: required(code, "uint", "SUBSCRIBED.code"),
    reason: str("reason"),
    rule: str("rule"),
    view,
    recovered: optional(keys.recovered, "bool", "SUBSCRIBED.info.recovered"),
    lost: str("lost"),
  };
}

function message(elements: Elements): BrokerPacket {
  const [, sub, topic, format, payload, time, position, options] = elements;
  const keys = optional(options, "map", "MESSAGE.options");
  return {
    type: "message",
    sub: required(sub, "uint", "MESSAGE.sub"),
    topic: required(topic, "str", "MESSAGE.topic"),
    format: required(format, "uint", "MESSAGE.format"),
    payload: required(payload, "bin", "MESSAGE.payload"),
    time: required(time, "uint", "MESSAGE.time"),
    position: required(position, "uint", "MESSAGE.position"),
    options: keys && messageOptions(keys),
  };
}

function messageOptions(keys: Record<string, unknown>): MessageOptions {
  const place = (key: string) => `MESSAGE.options.${key}`;
  const properties = optional(keys.properties, "map", place("properties"));
  return {
    time: optional(keys.time, "uint", place("time")),
    retain: optional(keys.retain, "bool", place("retain")),
    patch: optional(keys.patch, "bool", place("patch")),
    replyTo: optional(keys.reply_to, "str", place("reply_to")),
    correlation: optional(keys.correlation, "bin", place("correlation")),
    properties,
    expiry: optional(keys.expiry, "uint", place("expiry")),
  };
}

function notice([, info]: Elements): BrokerPacket {
  const keys = required(info, "map", "NOTICE.info");
  const place = (key: string) => `NOTICE.info.${key}`;
  const topics = optional(keys.topics, "map", place("topics"));
  return {
    type: "notice",
    kind: required(keys.kind, "str", place("kind")),
    sub: optional(keys.sub, "uint", place("sub")),
    count: optional(keys.count, "uint", place("count")),
    topics,
    reason: optional(keys.reason, "str", place("reason")) ?? "",
    code: optional(keys.code, "uint", place("code")),
  };
}

function caughtUp([, sub, info]: Elements): BrokerPacket {
  const keys = required(info, "map", "CAUGHT_UP.info");
  const positions = required(keys.positions, "array", "CAUGHT_UP.info.positions");
  return {
    type: "caught_up",
    sub: required(sub, "uint", "CAUGHT_UP.sub"),
    positions: positions.map((position, index) => required(position, "uint", `CAUGHT_UP.info.positions[${index}]`)),
    count: optional(keys.count, "uint", "CAUGHT_UP.info.count") ?? 0,
  };
}
