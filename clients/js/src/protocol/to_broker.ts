// The packets that a client sends, as bytes.

import { Encoder } from "@msgpack/msgpack";

/** The subprotocol that this SDK speaks. */
export const SUBPROTOCOL = "murre.v1.msgpack";

/** A map of options under the protocol's own names; keys whose value is undefined are left out. */
export type WireOptions = Readonly<Record<string, unknown>>;

const encoder = new Encoder({ ignoreUndefined: true });

function packet(...elements: unknown[]): Uint8Array {
  while (elements.at(-1) === undefined) elements.pop();
  return encoder.encode(elements);
}

/** The options, or undefined where there is none in them. */
function options(map: WireOptions): WireOptions | undefined {
  return Object.values(map).some((value) => value !== undefined) ? map : undefined;
}

/** CONNECT. */
export function connectPacket(map: WireOptions): Uint8Array {
  return packet(1, map);
}

/** PUBLISH; `id` 0: without an answer. */
export function publishPacket(
  topic: string,
  format: number,
  payload: Uint8Array,
  id: number,
  map: WireOptions = {},
): Uint8Array {
  return packet(3, topic, format, payload, id, options(map));
}

/** SUBSCRIBE. */
export function subscribePacket(sub: number, filter: string, map: WireOptions = {}): Uint8Array {
  return packet(5, sub, filter, options(map));
}

/** UNSUBSCRIBE. */
export function unsubscribePacket(sub: number): Uint8Array {
  return packet(7, sub);
}

/** ACK: every message of `sub` with the same low 8 bits and no greater position. */
export function ackPacket(sub: number, position: number): Uint8Array {
  return packet(10, sub, position);
}

/** PING. */
export function pingPacket(): Uint8Array {
  return packet(11);
}

/** PONG. */
export function pongPacket(): Uint8Array {
  return packet(12);
}

/** DISCONNECT; code 0: a normal end. */
export function disconnectPacket(code: number, reason: string): Uint8Array {
  return packet(13, code, reason);
}
