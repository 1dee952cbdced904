// Every example of docs/protocol.md, byte for byte.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type BrokerPacket, readPackets } from "../../src/protocol/from_broker.js";
import { decodePayload, encodePayload, type Format, formatOf } from "../../src/protocol/payload.js";
import * as write from "../../src/protocol/to_broker.js";

// biome-ignore lint/suspicious/noExplicitAny: JSON
type Json = any;

interface Example {
  name: string;
  from: string;
  /** The bytes as they are written, then others that are read as the same. */
  msgpack: Uint8Array[];
  json: Json;
}

const document = readFileSync(new URL("../../../../../docs/protocol.md", import.meta.url), "utf8");

function examples(): Example[] {
  const blocks = [...document.matchAll(/^```example (\S+) (\S+)\n([\s\S]*?)^```/gm)];
  return blocks.map(([, name = "", from = "", body = ""]) => {
    const lines = (key: string) => [...body.matchAll(new RegExp(`^${key}: +(.*)$`, "gm"))].map(([, text = ""]) => text);
    const hex = (text: string) => Uint8Array.from(text.trim().split(" "), (byte) => Number.parseInt(byte, 16));
    const msgpack = [...lines("msgpack"), ...lines("msgpack-also")].map(hex);
    return { name, from, msgpack, json: JSON.parse(lines("json")[0] as string) };
  });
}

const base64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

/** The bytes of a payload in JSON. */
function payloadBytes({ payload, payload_base64, format }: Json): Uint8Array {
  return payload_base64 === undefined ? encodePayload(payload, formatOf(format)).bytes : base64(payload_base64);
}

/** Options with their bytes as bytes. */
function wire(options: Json = {}): Json {
  const { correlation, will, ...rest } = options;
  if (correlation !== undefined) rest.correlation = base64(correlation);
  if (will)
    rest.will = {
      topic: will.topic,
      format: will.format,
      payload: payloadBytes(will),
      retain: will.retain,
      delay: will.delay,
    };
  return reordered(options, rest);
}

/** `values` in the order of the keys of `like`, as the document writes them. */
function reordered(like: Json, values: Json): Json {
  return Object.fromEntries(Object.keys(like).map((key) => [key, values[key]]));
}

const WRITERS: Record<string, (json: Json) => Uint8Array> = {
  connect: ({ options }) => write.connectPacket(wire(options)),
  publish: (json) => write.publishPacket(json.topic, json.format, payloadBytes(json), json.id, wire(json.options)),
  subscribe: ({ sub, filter, options }) => write.subscribePacket(sub, filter, options),
  unsubscribe: ({ sub }) => write.unsubscribePacket(sub),
  ack: ({ sub, position }) => write.ackPacket(sub, position),
  ping: () => write.pingPacket(),
  pong: () => write.pongPacket(),
  disconnect: ({ code, reason }) => write.disconnectPacket(code, reason),
};

for (const { name, from, msgpack, json } of examples()) {
  if (from === "broker" || from === "either") {
    test(`the example ${name} is read as the document says`, () => {
      for (const bytes of name === "auth" ? [] : msgpack) {
        const [packet, ...rest] = [...readPackets(bytes)];
        assert.equal(rest.length, 0);
        assertSame(packet as BrokerPacket, json);
      }
    });
  }
  const writer = WRITERS[json.type];
  if (from !== "broker" && writer) {
    test(`the example ${name} is written as the document says`, () => {
      assert.equal(Buffer.from(writer(json)).toString("hex"), Buffer.from(msgpack[0] as Uint8Array).toString("hex"));
    });
  }
}

function assertSame(packet: BrokerPacket, json: Json): void {
  const expected = { ...json, ...json.info, ...(json.type === "message" ? {} : json.options) };
  for (const [key, value] of Object.entries(expected)) {
    if (key === "info" || key === "payload" || key === "payload_base64" || key === "options") continue;
    const name = key.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
    assert.deepEqual((packet as Json)[name], value, `${json.type}.${key}`);
  }
  if (packet.type === "message") assertSameMessage(packet, json);
}

function assertSameMessage(packet: BrokerPacket & { type: "message" }, json: Json): void {
  const format: Format = json.payload_base64 === undefined ? formatOf(json.format) : "bytes";
  const value = decodePayload(packet.payload, format);
  assert.deepEqual(value, json.payload ?? base64(json.payload_base64));
  const { correlation, reply_to, ...rest } = json.options ?? {};
  const options = {
    ...rest,
    ...(reply_to && { replyTo: reply_to }),
    ...(correlation && { correlation: base64(correlation) }),
  };
  for (const [key, value] of Object.entries(options)) assert.deepEqual((packet.options as Json)[key], value, key);
}

test("the document has examples", () => assert.ok(examples().length > 30));
