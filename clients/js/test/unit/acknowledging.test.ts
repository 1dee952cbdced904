import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT_FROM } from "../../src/core/kept_number.js";
import { caughtUp, FakeBroker, message, subscribed } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";

/** The ACKs that the client sent since, as [sub, position]. */
async function acks(broker: FakeBroker): Promise<number[][]> {
  await broker.clock.advance(10);
  const packets = await broker.taken();
  return packets.filter(({ type }) => type === "ack").map(({ sub, position }) => [sub, position]);
}

test("a message counts as handled when the next one is asked for", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const reader = client.subscribe("a", { ack: true })[Symbol.asyncIterator]();
  await broker.taken();
  socket.receive(subscribed(1), message(1, 256, 1), message(1, 512, 2));

  await reader.next();
  assert.deepEqual(await acks(broker), []);
  await reader.next();

  assert.deepEqual(await acks(broker), [[1, 256]]);
});

test("many messages are one acknowledgement for each shard", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  client.subscribe("a", { ack: true }).on("message", () => {});
  await broker.taken();

  socket.receive(subscribed(1), ...[256, 512, 513, 768].map((position) => message(1, position, 1)));

  assert.deepEqual(await acks(broker), [
    [1, 513],
    [1, 768],
  ]);
});

test("explicit acknowledgements are the application's", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const reader = client.subscribe("a", { ack: "explicit" })[Symbol.asyncIterator]();
  await broker.taken();
  socket.receive(subscribed(1), message(1, 256, 1), message(1, 512, 2));

  const { value: first } = await reader.next();
  await reader.next();
  assert.deepEqual(await acks(broker), []);
  first?.ack();

  assert.deepEqual(await acks(broker), [[1, 256]]);
});

test("a subscription without ack acknowledges nothing", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  client.subscribe("a").on("message", (received) => received.ack());
  await broker.taken();

  socket.receive(subscribed(1), message(1, 256, 1));

  assert.deepEqual(await acks(broker), []);
});

test("an acknowledged subscription whose reader is too slow ends rather than lose a message", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const slow = client.subscribe("a", { ack: true, queue: 2 });

  socket.receive(subscribed(1), ...[1, 2, 3].map((n) => message(1, n * 256, n)));
  const reader = slow[Symbol.asyncIterator]();

  assert.equal((await reader.next()).value?.value, 1);
  assert.equal((await reader.next()).value?.value, 2);
  await assert.rejects(reader.next(), /larger queue/);
  assert.deepEqual(await acks(broker), []);
});

const SESSION = { clientId: "archive", sessionExpiry: 3600 };
const GRANTED = { session_expiry: 3600 };

test("subscriptions of a session go on by themselves, and acknowledgements are repeated", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, GRANTED);
  const got: unknown[] = [];
  client.subscribe("a", { ack: true }).on("message", ({ value }) => got.push(value));
  const sub = (await broker.taken())[0]?.sub;
  broker.socket.receive(subscribed(sub), message(sub, 256, 1));
  await broker.clock.advance(10);

  await broker.reconnect({ ...GRANTED, session_present: true });
  const sent = await broker.taken();
  broker.socket.receive(message(sub, 512, 2), caughtUp(sub, [512]));

  assert.ok(sub >= KEPT_FROM);
  assert.deepEqual(sent, [{ type: "ack", sub, position: 256 }]);
  assert.deepEqual(got, [1, 2]);
});

test("what waited for the reader of a session's subscription comes again, and not twice", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, GRANTED);
  const reader = client.subscribe("a", { ack: true })[Symbol.asyncIterator]();
  const sub = (await broker.taken())[0]?.sub;
  broker.socket.receive(subscribed(sub), message(sub, 256, 1), message(sub, 512, 2));
  await reader.next();

  await broker.reconnect({ ...GRANTED, session_present: true });
  broker.socket.receive(message(sub, 256, 1), message(sub, 512, 2));

  assert.deepEqual([(await reader.next()).value?.value, (await reader.next()).value?.value], [1, 2]);
});

test("shared subscriptions are no part of a session, and are asked for again", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, GRANTED);
  client.subscribe("$share/workers/a", { ack: true });
  const sub = (await broker.taken())[0]?.sub;
  broker.socket.receive(subscribed(sub));

  await broker.reconnect({ ...GRANTED, session_present: true });

  assert.ok(sub < KEPT_FROM);
  assert.deepEqual((await broker.taken())[0]?.filter, "$share/workers/a");
});

test("a broker that lost the session is asked again", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, GRANTED);
  client.subscribe("a", { ack: true, from: "live" });
  const sub = (await broker.taken())[0]?.sub;
  broker.socket.receive(subscribed(sub));

  await broker.reconnect({ ...GRANTED, session_present: false });

  const [packet] = await broker.taken();
  assert.deepEqual([packet?.type, packet?.options], ["subscribe", { ack: true, from: "live" }]);
});

test("a program that starts again gets what came before it asked, under the same number", async () => {
  const broker = new FakeBroker();
  const before = await broker.connected(SESSION, GRANTED);
  before.client.subscribe("a", { ack: true });
  const sub = (await broker.taken())[0]?.sub;

  const { client, socket } = await broker.connected(SESSION, { ...GRANTED, session_present: true });
  socket.receive(message(sub, 256, 1), caughtUp(sub));
  const readings = client.subscribe("a", { ack: true, from: "live" });
  const [packet] = await broker.taken();

  assert.deepEqual([packet?.sub, packet?.options], [sub, { ack: true }]);
  assert.equal((await readings[Symbol.asyncIterator]().next()).value?.value, 1);
});

test("closing ends a subscription in the session, leaving its loop doesn't", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, GRANTED);
  const [kept, ended] = [client.subscribe("kept", { ack: true }), client.subscribe("ended", { ack: true })];
  const packets = await broker.taken();
  for (const { sub } of packets) broker.socket.receive(subscribed(sub));

  await kept[Symbol.asyncIterator]().return?.();
  ended.close();
  await settled();

  assert.deepEqual(await broker.taken(), [{ type: "unsubscribe", sub: packets[1]?.sub }]);
});

test("leaving a loop unsubscribes where the broker keeps no session", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, { session_expiry: 0 });
  const readings = client.subscribe("a", { ack: true });
  const sub = (await broker.taken())[0]?.sub;
  broker.socket.receive(subscribed(sub));

  await readings[Symbol.asyncIterator]().return?.();

  assert.deepEqual(await broker.taken(), [{ type: "unsubscribe", sub }]);
});

test("a subscription of the session that was closed without a connection is ended with the next one", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected(SESSION, GRANTED);
  const readings = client.subscribe("a", { ack: true });
  const sub = (await broker.taken())[0]?.sub;
  broker.socket.receive(subscribed(sub));
  broker.socket.closeByBroker();

  await readings.close();
  await broker.nextAttempt();
  await broker.accept({ ...GRANTED, session_present: true });

  assert.deepEqual(await broker.taken(), [{ type: "unsubscribe", sub }]);
});
