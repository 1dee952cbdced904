import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBroker, subscribed } from "../support/fake_broker.js";

test("options are changed in place, and hold for the next connection", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { from: "live", maxRate: 1, select: ["celsius"] });
  let restarts = 0;
  readings.on("restarted", () => {
    restarts += 1;
  });
  await broker.taken();
  socket.receive(subscribed(1));

  const changed = readings.update({ maxRate: 5 });
  const [packet] = await broker.taken();
  socket.receive(subscribed(1, { view: { max_rate: 4 } }));
  await changed;

  // The whole view, whose place it takes.
  const options = { max_rate: 5, select: ["celsius"] };
  assert.deepEqual(packet, { type: "subscribe", sub: 1, filter: "a", options });
  assert.deepEqual([readings.view, restarts], [{ maxRate: 4 }, 0]);
  await broker.reconnect();
  const [again] = await broker.taken();
  assert.deepEqual(again?.options, { from: "live", max_rate: 5, select: ["celsius"] });
});

test("options of the view can be taken away, and the rest stays", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const deadband = { path: "celsius", abs: 0.5, silenceMax: 60 };
  const readings = client.subscribe("a", { maxRate: 1, deadband });
  const sent = async () => (await broker.taken())[0]?.options;
  await broker.taken();
  socket.receive(subscribed(1));

  readings.update({ maxRate: null });
  assert.deepEqual(await sent(), { deadband: { path: "celsius", abs: 0.5, silence_max: 60 } });
  socket.receive(subscribed(1, { view: { deadband: { path: "celsius", abs: 0.5, silence_max: 60 } } }));
  assert.deepEqual(readings.view, { deadband });
  readings.update({ onSlow: "conflate" });
  assert.deepEqual(await sent(), { on_slow: "conflate" });
  socket.receive(subscribed(1));
  readings.update({ deadband: null });
  assert.deepEqual(await sent(), { patch: false });
  socket.receive(subscribed(1));

  await broker.reconnect();
  assert.deepEqual(await sent(), { on_slow: "conflate" });
});

test("a refused change leaves everything as it was", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { maxRate: 1 });
  await broker.taken();
  socket.receive(subscribed(1));

  const changed = readings.update({ where: "nonsense(" });
  await broker.taken();
  socket.receive({ type: "subscribed", sub: 1, code: 4422, info: { reason: "where: expected )" } });

  await assert.rejects(changed, { name: "SubscribeError", code: 4422 });
  await broker.reconnect();
  assert.deepEqual((await broker.taken())[0]?.options, { max_rate: 1 });
});

test("changes that are wanted while one is on its way go out as one, behind it", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");
  const early = readings.update({ maxRate: 1 });
  assert.deepEqual(
    (await broker.taken()).map(({ options }) => options),
    [undefined],
  );
  socket.receive(subscribed(1));

  const changes = [early, readings.update({ maxRate: 2 }), readings.update({ onSlow: "conflate" })];
  assert.deepEqual(
    (await broker.taken()).map(({ options }) => options),
    [{ max_rate: 1 }],
  );
  socket.receive(subscribed(1));
  assert.deepEqual(
    (await broker.taken()).map(({ options }) => options),
    [{ on_slow: "conflate", max_rate: 2 }],
  );
  socket.receive(subscribed(1));

  await Promise.all(changes);
});

test("a change whose answer was lost with the connection is sent again", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");
  await broker.taken();
  socket.receive(subscribed(1));
  const changed = readings.update({ maxRate: 1 });
  await broker.taken();

  await broker.reconnect();
  await broker.taken();
  broker.socket.receive(subscribed(1));
  assert.deepEqual(
    (await broker.taken()).map(({ options }) => options),
    [{ max_rate: 1 }],
  );
  broker.socket.receive(subscribed(1));

  await changed;
});

test("a change larger than the broker takes is rejected, and the client stays", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected({}, { max_packet: 200 });
  const readings = client.subscribe("a");
  await broker.taken();
  socket.receive(subscribed(1));

  const changed = readings.update({ where: "x".repeat(200) });

  await assert.rejects(changed, { code: 4413 });
  assert.deepEqual([await broker.taken(), client.state.name], [[], "connected"]);
});

test("a change of a subscription that ends is rejected", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const readings = client.subscribe("a");

  const changed = readings.update({ maxRate: 1 });
  readings.close();

  await assert.rejects(changed, /has ended/);
  await assert.rejects(readings.update({ maxRate: 2 }), /has ended/);
});
