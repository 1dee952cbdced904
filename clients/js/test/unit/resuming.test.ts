import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResumePoint } from "../../src/index.js";
import { caughtUp, FakeBroker, message, subscribed } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";

// Positions: the low 8 bits are the shard.
const at = (offset: number, shard: number) => offset * 256 + shard;

test("a subscription that resumes goes on from CAUGHT_UP's list, raised by each message", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { from: "live", resume: true });
  socket.receive(subscribed(1), caughtUp(1, [at(5, 0), at(7, 1)]));
  socket.receive(message(1, at(9, 1), 1), message(1, at(4, 0), 2), message(1, at(2, 7), 3), message(1, 0, 4));

  await broker.reconnect({ epoch: "e1" });
  const [packet] = await broker.taken();

  assert.deepEqual(packet?.options.from, { after: [at(5, 0), at(9, 1), at(2, 7)], epoch: "e1" });
  assert.equal(readings.recovery, undefined);
});

test("before CAUGHT_UP a subscription asks as at first", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  client.subscribe("a", { from: { last: 10 }, resume: true });
  socket.receive(subscribed(1), message(1, at(9, 1), 1));

  await broker.reconnect();

  assert.deepEqual((await broker.taken())[0]?.options, { from: { last: 10 } });
});

test("whether anything is missing is said in its place among the messages", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { resume: true });
  const got: unknown[] = [];
  readings.on("message", ({ value }) => got.push(value));
  readings.on("resumed", (recovery) => got.push(recovery));
  socket.receive(subscribed(1), caughtUp(1), message(1, 512, "before"));
  await settled();

  await broker.reconnect();
  broker.socket.receive(subscribed(1, { recovered: true }), message(1, 768, "missed"), caughtUp(1, [768]));
  await broker.reconnect();
  broker.socket.receive(subscribed(1, { recovered: false, lost: "kept" }), message(1, 1024, "after"));

  assert.deepEqual(got, ["before", { recovered: true }, "missed", { recovered: false, lost: "kept" }, "after"]);
  assert.deepEqual(readings.recovery, { recovered: false, lost: "kept" });
});

test("positions of another epoch are let go, those of the same one are not", async () => {
  for (const [lost, expected] of [
    ["epoch", undefined],
    ["crash", { after: [512], epoch: "e1" }],
  ] as const) {
    const broker = new FakeBroker();
    const { client, socket } = await broker.connected();
    client.subscribe("a", { resume: true });
    socket.receive(subscribed(1), caughtUp(1), message(1, 512, 1));
    await broker.reconnect();
    await broker.taken();
    broker.socket.receive(subscribed(1, { recovered: false, lost }));

    await broker.reconnect();

    assert.deepEqual((await broker.taken())[0]?.options?.from, expected, lost);
  }
});

test("a point that was kept is where a later program goes on", async () => {
  const point: ResumePoint = JSON.parse('{"after":[4096,5121],"epoch":"5f3c9a01"}');
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { from: point });

  const [packet] = await broker.taken();
  socket.receive(
    subscribed(1, { recovered: true }),
    message(1, 4352, 1),
    message(1, 4608, 2),
    caughtUp(1, [4608, 5121]),
  );
  await readings[Symbol.asyncIterator]().next();

  assert.deepEqual(packet?.options.from, point);
  assert.deepEqual(readings.resumePoint, { after: [4352, 5121], epoch: "5f3c9a01" });
});

test("the resume point counts what was taken, not what waits", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");
  socket.receive(subscribed(1), caughtUp(1, [256]), message(1, 512, 1), message(1, 768, 2));
  const reader = readings[Symbol.asyncIterator]();

  await reader.next();
  assert.deepEqual(readings.resumePoint?.after, [512]);
  await reader.next();

  assert.deepEqual(readings.resumePoint?.after, [768]);
});
