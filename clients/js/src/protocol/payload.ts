// Values as payloads, and payloads as values.

import { encode } from "@msgpack/msgpack";
import { MsgpackError, MsgpackReader } from "./msgpack_reader.js";

/** How a payload is to be read. */
export type Format = "bytes" | "msgpack" | "json" | "text";

const FORMATS: readonly Format[] = ["bytes", "msgpack", "json", "text"];
const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A payload as it goes over the wire. */
export interface Payload {
  format: Format;
  bytes: Uint8Array;
}

/** The number of a format on the wire. */
export function formatNumber(format: Format): number {
  return FORMATS.indexOf(format);
}

/** The format of a number on the wire; a number of a later protocol is read as raw bytes. */
export function formatOf(number: number): Format {
  return FORMATS[number] ?? "bytes";
}

/**
 * A value as a payload: bytes as raw bytes, a string as text, anything else as JSON, unless `format` says otherwise.
 * Bytes under another format are taken for a payload that is encoded already. Throws where the value has no such form.
 */
export function encodePayload(value: unknown, format?: Format): Payload {
  const chosen = format ?? naturalFormat(value);
  return { format: chosen, bytes: bytesOf(value, chosen) };
}

function naturalFormat(value: unknown): Format {
  if (typeof value === "string") return "text";
  return viewOf(value) ? "bytes" : "json";
}

function bytesOf(value: unknown, format: Format): Uint8Array {
  const bytes = viewOf(value);
  if (bytes) return bytes;
  switch (format) {
    case "json": {
      const json = JSON.stringify(value);
      if (json === undefined) throw new TypeError(`${typeof value} has no JSON form; publish null, or another value`);
      return utf8.encode(json);
    }
    case "msgpack":
      return encode(value, { ignoreUndefined: true });
    case "text":
      if (typeof value !== "string") throw new TypeError(`a payload of format "text" is a string, not ${typeof value}`);
      return utf8.encode(value);
    default:
      throw new TypeError(`a payload of format "bytes" is a Uint8Array or an ArrayBuffer, not ${typeof value}`);
  }
}

function viewOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

/** The value of a payload: what JSON or MessagePack say, a string, or the bytes. Throws where the bytes are malformed. */
export function decodePayload(bytes: Uint8Array, format: Format): unknown {
  switch (format) {
    case "json":
      return JSON.parse(text.decode(bytes));
    case "msgpack":
      return decodeMsgpack(bytes);
    case "text":
      return text.decode(bytes);
    default:
      return bytes;
  }
}

function decodeMsgpack(bytes: Uint8Array): unknown {
  const reader = new MsgpackReader(bytes);
  const value = reader.value();
  if (!reader.done) throw new MsgpackError("there is more than one value");
  return value;
}
