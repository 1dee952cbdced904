// A payload as people read it.

import type { Format, Message } from "murre";
import { valueIn } from "./topic.js";

/** Characters of a payload on one line. */
const LINE_MAX = 160;
/** Bytes that are shown of a payload. */
const BYTES_MAX = 64 * 1024;
const BYTES_PER_LINE = 16;

/** The formats by their names for people. */
export const FORMAT_NAMES: Readonly<Record<Format, string>> = {
  bytes: "Raw bytes",
  msgpack: "MessagePack",
  json: "JSON",
  text: "Text",
};

/** The payload in full: decoded and indented, or its bytes where it can't be decoded. */
export function inFull(message: Message): string {
  const value = valueIn(message);
  if (value === undefined || value instanceof Uint8Array) return hexDump(message.payload);
  return typeof value === "string" ? value.slice(0, BYTES_MAX) : asJson(value, 2).slice(0, BYTES_MAX);
}

/** The payload on one line, cut where it is long. */
export function onOneLine(message: Message): string {
  if (message.payload.length === 0) return "empty";
  const value = valueIn(message);
  if (value === undefined || value instanceof Uint8Array) return `${message.payload.length} bytes`;
  const text = typeof value === "string" ? value : asJson(value);
  return text.length > LINE_MAX ? `${text.slice(0, LINE_MAX)}…` : text;
}

/** Offset, bytes in hexadecimal, and the characters that are ASCII, sixteen bytes a line. */
export function hexDump(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  const lines: string[] = [];
  for (let offset = 0; offset < Math.min(bytes.length, BYTES_MAX); offset += BYTES_PER_LINE) {
    const row = [...bytes.subarray(offset, offset + BYTES_PER_LINE)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const characters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${offset.toString(16).padStart(6, "0")}  ${hex.padEnd(BYTES_PER_LINE * 3 - 1)}  ${characters}`);
  }
  if (bytes.length > BYTES_MAX) lines.push(`… ${bytes.length - BYTES_MAX} more bytes`);
  return lines.join("\n");
}

/** JSON, with what JSON lacks in words: whole numbers past 2^53, bytes. */
function asJson(value: unknown, indent = 0): string {
  const replaced = (_: string, inner: unknown) => {
    if (typeof inner === "bigint") return Number(inner);
    return inner instanceof Uint8Array ? `${inner.length} bytes` : inner;
  };
  return JSON.stringify(value, replaced, indent) ?? "";
}
