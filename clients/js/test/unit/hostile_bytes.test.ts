import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedPacketError } from "../../src/protocol/elements.js";
import { readPackets } from "../../src/protocol/from_broker.js";
import { decodePayload } from "../../src/protocol/payload.js";
import { message, subscribed } from "../support/fake_broker.js";
import { writePacket } from "../support/fake_socket.js";
import { seeded } from "../support/model_broker.js";

/** Reads, and says whether it could; anything thrown but MalformedPacketError fails the test. */
function canBeRead(bytes: Uint8Array): boolean {
  try {
    for (const _ of readPackets(bytes));
    return true;
  } catch (error) {
    assert.ok(error instanceof MalformedPacketError, String(error));
    return false;
  }
}

const WHOLE = writePacket(message(1, 4099, { celsius: 21.4 }, { options: { properties: { unit: "C" }, time: 5 } }));

test("random bytes are read or refused, and nothing else happens", () => {
  const random = seeded(1);
  for (let n = 0; n < 20_000; n++) {
    canBeRead(Uint8Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)));
  }
});

test("a packet with any one byte changed is read or refused", () => {
  for (let at = 0; at < WHOLE.length; at++) {
    for (let byte = 0; byte < 256; byte++) canBeRead(WHOLE.with(at, byte));
  }
});

test("a packet that is cut anywhere is refused", () => {
  for (let end = 1; end < WHOLE.length; end++) assert.equal(canBeRead(WHOLE.subarray(0, end)), false);
});

test("sizes that the message can't hold, and bottomless nesting, are refused at once", () => {
  const nested = new Uint8Array(1_000_000).fill(0x91);
  for (const bytes of [
    [0xdd, 255, 255, 255, 255],
    [0xdf, 255, 255, 255, 255],
    [0xc6, 255, 255, 255, 255],
  ]) {
    assert.equal(canBeRead(Uint8Array.from(bytes)), false);
  }
  assert.equal(canBeRead(nested), false);
  assert.throws(() => decodePayload(nested, "msgpack"), /nested/);
});

test("packets, elements and keys of a later protocol are passed over", () => {
  const later = Uint8Array.of(0x92, 0x20, 0x01);
  const [packet] = readPackets(later);
  assert.deepEqual(packet, { type: "unknown" });

  const [more] = readPackets(writePacket({ ...subscribed(1, { later: { a: [1] } }) }));
  assert.equal(more?.type, "subscribed");
});

test("what is wrong is named with its place", () => {
  assert.throws(() => [...readPackets(writePacket(message(1, 1, 1, { topic: 7 })))], /MESSAGE\.topic: expected str/);
  assert.throws(() => [...readPackets(Uint8Array.of(0x91, 0x04))], /PUBLISHED\.id: is missing/);
});
