// Typed access to the elements of a packet and the keys of its maps; each failure names its place.

import { MsgpackError } from "./msgpack_reader.js";

/** What the broker sent can't be read. The message names the packet and the element. */
export class MalformedPacketError extends Error {
  override readonly name = "MalformedPacketError";
}

type Kind = "uint" | "str" | "bin" | "bool" | "array" | "map";
interface Kinds {
  uint: number;
  str: string;
  bin: Uint8Array;
  bool: boolean;
  array: unknown[];
  map: Record<string, unknown>;
}

const IS: Record<Kind, (value: unknown) => boolean> = {
  uint: (value) => typeof value === "number" && Number.isInteger(value) && value >= 0,
  str: (value) => typeof value === "string",
  bin: (value) => value instanceof Uint8Array,
  bool: (value) => typeof value === "boolean",
  array: (value) => Array.isArray(value),
  map: (value) => Object.getPrototypeOf(value) === Object.prototype,
};

/** `value` as `kind`; undefined where it is absent or nil. */
export function optional<K extends Kind>(value: unknown, kind: K, place: string): Kinds[K] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!IS[kind](value)) throw new MalformedPacketError(`${place}: expected ${kind}`);
  return value as Kinds[K];
}

/** `value` as `kind`, which has to be there. */
export function required<K extends Kind>(value: unknown, kind: K, place: string): Kinds[K] {
  const found = optional(value, kind, place);
  if (found === undefined) throw new MalformedPacketError(`${place}: is missing`);
  return found;
}

/** Turns a failure of the reader into one that names the packet. */
export function malformed(error: unknown): MalformedPacketError {
  if (error instanceof MalformedPacketError) return error;
  const what = error instanceof MsgpackError ? error.message : String(error);
  return new MalformedPacketError(`packet: ${what}`);
}
