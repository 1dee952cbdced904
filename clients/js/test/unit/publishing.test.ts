import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBroker } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";
import type { Packet } from "../support/fake_socket.js";

const text = (packet: Packet | undefined) => new TextDecoder().decode(packet?.payload);

function answer(broker: FakeBroker, packet: Packet | undefined, code = 0): void {
  broker.socket.receive({
    type: "published",
    id: packet?.id,
    code,
    position: code ? 0 : 515,
    reason: code ? "no" : undefined,
  });
}

test("a publish resolves with its position when the broker has it", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  const published = client.publish("site/a/temp", { celsius: 21.4 }, { retain: true, expiry: 1.5, time: new Date(5) });
  const [packet] = await broker.taken();
  answer(broker, packet);

  assert.deepEqual([packet?.topic, packet?.format, text(packet)], ["site/a/temp", 2, '{"celsius":21.4}']);
  assert.deepEqual(packet?.options, { retain: true, expiry: 2, time: 5 });
  assert.deepEqual(await published, { position: 515 });
});

test("a refusal rejects with code and reason", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  const published = client.publish("site/#", 1);
  answer(broker, (await broker.taken())[0], 4422);

  await assert.rejects(published, { name: "PublishError", kind: "refused", code: 4422, topic: "site/#" });
});

test("values find their format", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  for (const value of [Uint8Array.of(1, 2), "läuft", [1, null], 7]) client.publish("a", value, { ack: false });
  client.publish("a", { b: 7 }, { ack: false, format: "msgpack" });
  client.publish("a", "on", { ack: false, format: "json" });

  const packets = await broker.taken();
  assert.deepEqual(
    packets.map(({ format }) => format),
    [0, 3, 2, 2, 1, 2],
  );
  assert.deepEqual([...(packets[4]?.payload ?? [])], [0x81, 0xa1, 0x62, 0x07]);
  assert.equal(text(packets[5]), '"on"');
});

test("what has no form is rejected by topic", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  await assert.rejects(client.publish("a", undefined), { kind: "encode", topic: "a" });
  await assert.rejects(client.publish("a", 10n), { kind: "encode" });
});

test("publishes of one task go out as one WebSocket message", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const before = socket.frames;

  for (let n = 0; n < 100; n++) client.publish("a", n, { ack: false });
  await settled();

  assert.equal(socket.frames - before, 1);
});

test("what is published without a connection goes out in order when there is one", async () => {
  const broker = new FakeBroker();
  const client = broker.client();

  for (let n = 0; n < 3; n++) client.publish("a", n);
  await broker.accept();

  assert.deepEqual((await broker.taken()).map(text), ["0", "1", "2"]);
});

test("what has no answer is sent again on a new connection, what has one is not", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const first = client.publish("a", 1);
  const second = client.publish("a", 2);
  const [one] = await broker.taken();
  answer(broker, one);

  await broker.reconnect();
  const [again, ...rest] = await broker.taken();
  answer(broker, again);

  assert.deepEqual([text(again), rest.length], ["2", 0]);
  await Promise.all([first, second]);
});

test("a full buffer lets the oldest go, and says so", async () => {
  const broker = new FakeBroker();
  const client = broker.client({ buffer: { messages: 2 } });
  let dropped = 0;
  client.on("dropped", (count) => {
    dropped += count;
  });

  const oldest = client.publish("a", 0);
  client.publish("a", 1);
  client.publish("a", 2);

  await assert.rejects(oldest, { kind: "dropped" });
  await broker.accept();
  assert.deepEqual((await broker.taken()).map(text), ["1", "2"]);
  assert.equal(dropped, 1);
});

test("a full buffer refuses the newest, where that is the rule", async () => {
  const broker = new FakeBroker();
  const client = broker.client({ buffer: { messages: 1, whenFull: "dropNewest" } });

  client.publish("a", 0);

  await assert.rejects(client.publish("a", 1), { kind: "full" });
});

test("the buffer's bytes bound it, too", async () => {
  const broker = new FakeBroker();
  const client = broker.client({ buffer: { bytes: 1000 } });

  const oldest = client.publish("a", new Uint8Array(600));
  client.publish("a", new Uint8Array(600));

  await assert.rejects(oldest, { kind: "dropped" });
  await assert.rejects(client.publish("a", new Uint8Array(1001)), { kind: "tooLarge" });
});

test("a message larger than the broker takes is rejected and harms no other", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const large = client.publish("a", new Uint8Array(2000));
  const small = client.publish("a", 1);

  await broker.accept({ max_packet: 1000 });
  const [packet] = await broker.taken();
  answer(broker, packet);

  await assert.rejects(large, { kind: "tooLarge" });
  await small;
  await assert.rejects(client.publish("a", new Uint8Array(2000)), { kind: "tooLarge" });
});

test("no WebSocket message is larger than the broker takes", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected({}, { max_packet: 100, max_message: 100 });
  const [sizes, send] = [[] as number[], socket.send.bind(socket)];
  socket.send = (data) => {
    sizes.push(data.length);
    send(data);
  };

  const readings = ["a", "b", "c"].map((filter) => client.subscribe(filter.repeat(20)));
  for (let n = 0; n < 20; n++) client.publish("site/a", new Uint8Array(n), { ack: false });
  await settled();
  for (const reading of readings) reading.close();

  const packets = await broker.taken();
  assert.equal(packets.length, 26);
  assert.ok(Math.max(...sizes) <= 100, String(sizes));
});

test("only so many acknowledged publishes are on their way at a time", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected({ buffer: { inFlight: 2 } });

  for (let n = 0; n < 3; n++) client.publish("a", n);
  const sent = await broker.taken();
  answer(broker, sent[0]);

  assert.equal(sent.length, 2);
  assert.deepEqual((await broker.taken()).map(text), ["2"]);
});

test("a socket that is full is left alone until it has room", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();

  socket.bufferedAmount = 300_000;
  for (let n = 0; n < 3; n++) client.publish("a", n, { ack: false });
  assert.deepEqual(await broker.taken(), []);
  assert.equal(client.pending, 3);
  socket.bufferedAmount = 0;
  await broker.clock.advance(20);

  assert.equal(socket.take().length, 3);
});

test("an aborted publish is taken back where it was not sent", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const stop = new AbortController();

  const published = client.publish("a", 1, { signal: stop.signal });
  stop.abort(new Error("changed my mind"));
  await broker.accept();

  await assert.rejects(published, /changed my mind/);
  assert.deepEqual(await broker.taken(), []);
});

test("closing sends what is pending, takes leave, and says what was not through", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const published = client.publish("a", 1);
  const closed = client.close();
  const [packet] = await broker.taken();
  assert.equal(socket.closedWith, undefined);

  answer(broker, packet);

  assert.equal(await closed, 0);
  await published;
  assert.deepEqual(
    socket.take().map(({ type }) => type),
    ["disconnect"],
  );
  await assert.rejects(client.publish("a", 2), { name: "ClosedError" });
});

test("a close that takes too long ends all the same", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected({ closeTimeout: 1_000 });
  const published = client.publish("a", 1);
  const closed = client.close();

  await broker.clock.advance(1_000);

  assert.equal(await closed, 1);
  await assert.rejects(published, { name: "ClosedError" });
});
