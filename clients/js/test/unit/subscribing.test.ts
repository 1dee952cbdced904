import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, Subscription } from "../../src/index.js";
import { caughtUp, FakeBroker, message, subscribed } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";

async function next<T>(subscription: Subscription<T>): Promise<Message<T>> {
  const { done, value } = await subscription[Symbol.asyncIterator]().next();
  if (done) throw new Error("the subscription has ended");
  return value;
}

test("options go out under the protocol's names", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  client.subscribe("site/+/temp", {
    from: { since: new Date(5) },
    ack: "explicit",
    onSlow: "conflate",
    maxRate: 0.5,
    where: "payload.celsius > 30",
    select: ["celsius"],
    deadband: { path: "celsius", percent: 2, silenceMax: 60 },
    window: { seconds: 60, of: ["celsius"], give: ["mean"], step: 10 },
    patch: true,
    expect: 10,
    onError: "pass",
    queue: 7,
  });

  const [packet] = await broker.taken();
  assert.deepEqual(packet, {
    type: "subscribe",
    sub: 1,
    filter: "site/+/temp",
    options: {
      from: { since: 5 },
      ack: true,
      on_slow: "conflate",
      max_rate: 0.5,
      where: "payload.celsius > 30",
      select: ["celsius"],
      deadband: { path: "celsius", percent: 2, silence_max: 60 },
      window: { seconds: 60, of: ["celsius"], give: ["mean"], step: 10 },
      patch: true,
      expect: 10,
      on_error: "pass",
    },
  });
});

test("messages come in order, with what their publisher said", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const temperatures = client.subscribe<{ celsius: number }>("site/+");

  socket.receive(
    subscribed(1),
    message(1, 256, { celsius: 20.9 }, { options: { retain: true } }),
    caughtUp(1),
    message(1, 512, { celsius: 21.4 }, { topic: "site/b", options: { time: 7, properties: { unit: "C" }, expiry: 9 } }),
  );

  const kept = await next(temperatures);
  assert.deepEqual([kept.value.celsius, kept.retained, kept.sourceTime], [20.9, true, undefined]);
  const live = await next(temperatures);
  assert.deepEqual([live.topic, live.value.celsius, live.retained], ["site/b", 21.4, false]);
  assert.deepEqual([live.sourceTime, live.properties.unit, live.expiry, live.position], [7, "C", 9, 512]);
});

test("a loop takes what comes and ends where the subscription is closed", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("site/#");
  const got: unknown[] = [];
  const loop = (async () => {
    for await (const { value } of readings) got.push(value);
  })();

  socket.receive(subscribed(1), message(1, 256, 1), message(1, 512, 2));
  await settled();
  const closed = readings.close();
  await loop;
  socket.receive({ type: "unsubscribed", sub: 1, code: 0 });
  await settled();
  await closed;

  assert.deepEqual(got, [1, 2]);
});

test("leaving a loop unsubscribes", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const loop = (async () => {
    for await (const _ of client.subscribe("a")) break;
  })();
  await broker.taken();

  socket.receive(subscribed(1), message(1, 256, 1));
  await loop;

  assert.deepEqual(await broker.taken(), [{ type: "unsubscribe", sub: 1 }]);
});

test("a listener gets what came before it listened, and what comes", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");
  socket.receive(subscribed(1), message(1, 256, 1), caughtUp(1));
  const got: unknown[] = [];

  readings.on("caughtUp", ({ point }) => got.push(point.after));
  const off = readings.on("message", ({ value }) => got.push(value));
  socket.receive(message(1, 512, 2));
  await settled();
  off();
  socket.receive(message(1, 768, 3));

  assert.deepEqual(got, [1, [256], 2]);
});

test("a listener that throws harms nobody", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const errors: unknown[] = [];
  client.on("error", (error) => errors.push(error));
  const got: unknown[] = [];
  const readings = client.subscribe("a");
  readings.on("message", () => {
    throw new Error("sync");
  });
  readings.on("message", async () => {
    throw new Error("async");
  });
  readings.on("message", ({ value }) => got.push(value));

  socket.receive(subscribed(1), message(1, 256, 1), message(1, 512, 2));
  await settled();

  assert.deepEqual(got, [1, 2]);
  assert.deepEqual(errors.map((error) => (error as Error).message).sort(), ["async", "async", "sync", "sync"]);
});

test("a refusal ends the subscription with code, reason and rule", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { maxRate: 5 });
  const loop = next(readings);
  await broker.taken();

  socket.receive({ type: "subscribed", sub: 1, code: 4501, info: { reason: "views are not there", rule: "max_rate" } });

  await assert.rejects(readings.ready, { name: "SubscribeError", code: 4501, rule: "max_rate", filter: "a" });
  await assert.rejects(loop, /views are not there/);
  assert.equal(readings.error?.name, "SubscribeError");
});

test("a view that the broker revised is shown", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { from: { last: 1e9 } });

  socket.receive(subscribed(1, { view: { last: 1000, on_error: "skip" } }));
  await readings.ready;

  assert.deepEqual(readings.view, { last: 1000, onError: "skip" });
});

test("a slow reader loses the oldest messages of its own queue, and is told", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const slow = client.subscribe("a", { queue: 2 });
  const told: number[] = [];
  slow.on("dropped", (count) => told.push(count));

  socket.receive(subscribed(1), ...[1, 2, 3, 4].map((n) => message(1, n * 256, n)));
  const { value } = await next(slow);

  assert.deepEqual([value, slow.dropped, told], [3, 2, [1, 1]]);
});

test("marks take no message's place in the queue, and are bounded, too", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const slow = client.subscribe("a", { queue: 2 });
  let marks = 0;
  slow.on("caughtUp", () => {
    marks += 1;
  });

  socket.receive(subscribed(1), message(1, 256, 1), caughtUp(1), message(1, 512, 2));
  assert.equal(slow.dropped, 0);
  for (let n = 0; n < 64; n++) socket.receive(caughtUp(1));

  assert.deepEqual([(await next(slow)).value, slow.dropped, marks], [2, 1, 1]);
});

test("what the broker left out is counted with its subscription", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");
  const notices: unknown[] = [];
  client.on("notice", ({ kind, filter, count }) => notices.push([kind, filter, count]));

  socket.receive(
    subscribed(1),
    { type: "notice", info: { kind: "dropped", sub: 1, count: 12, reason: "slow" } },
    { type: "notice", info: { kind: "limited", sub: 1, count: 3, reason: "the session owes too much" } },
    { type: "notice", info: { kind: "degraded", sub: 1, count: 7, reason: "conflated" } },
  );

  assert.equal(readings.dropped, 15);
  assert.deepEqual(notices, [
    ["dropped", "a", 12],
    ["limited", "a", 3],
    ["degraded", "a", 7],
  ]);
});

test("each connection is asked again, and the subscription says that it began again", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { from: "live" });
  let restarts = 0;
  readings.on("restarted", () => {
    restarts += 1;
  });
  socket.receive(subscribed(1), caughtUp(1));

  await broker.reconnect();
  const [packet] = await broker.taken();
  broker.socket.receive(subscribed(1));

  assert.deepEqual([packet?.filter, packet?.options], ["a", { from: "live" }]);
  assert.equal(restarts, 1);
});

test("caughtUp resolves when the snapshot is through, and says false where the subscription ends before", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const [one, other] = [client.subscribe("a"), client.subscribe("b")];

  socket.receive(subscribed(1), subscribed(2), caughtUp(1));
  other.close();

  assert.deepEqual(await Promise.all([one.caughtUp(), other.caughtUp()]), [true, false]);
});

test("a signal ends a subscription", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const stop = new AbortController();
  const readings = client.subscribe("a", { signal: stop.signal });
  await broker.taken();

  stop.abort(new Error("enough"));

  await assert.rejects(readings.ready, /enough/);
  assert.deepEqual(await readings[Symbol.asyncIterator]().next(), { done: true, value: undefined });
  assert.deepEqual(await broker.taken(), [{ type: "unsubscribe", sub: 1 }]);
});

test("a payload that is not what it says throws where it is read, and nowhere else", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");

  socket.receive(subscribed(1), message(1, 256, 1, { payload: new TextEncoder().encode("{oops") }));
  const malformed = await next(readings);

  assert.throws(() => malformed.value, { name: "DecodeError", topic: "site/a" });
  assert.equal(malformed.payload.length, 5);
});

test("the empty payload of a deleted topic has no value, in any format", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");

  const empty = [0, 1, 2, 3].map((format) => message(1, 256, 0, { format, payload: new Uint8Array() }));
  socket.receive(subscribed(1), ...empty);

  const values = [];
  for (let n = 0; n < 4; n++) values.push((await next(readings)).value);
  assert.deepEqual(values, [new Uint8Array(), undefined, undefined, ""]);
});

test("a property named __proto__ is a property", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a");
  const properties = JSON.parse('{"__proto__":"x"}');

  socket.receive(subscribed(1), message(1, 256, 1, { options: { properties } }));
  const { properties: got } = await next(readings);

  assert.deepEqual(Object.entries(got), [["__proto__", "x"]]);
});

test("patches are put together unseen", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe<Record<string, unknown>>("a", { patch: true });
  const patch = { options: { patch: true } };

  socket.receive(
    subscribed(1),
    message(1, 256, { a: 1, b: { c: 2 } }),
    message(1, 512, { b: { d: 3 } }, patch),
    message(1, 768, { a: null }, patch),
  );

  (await next(readings)).value.a = "changed by the application";
  assert.deepEqual((await next(readings)).value, { a: 1, b: { c: 2, d: 3 } });
  const last = await next(readings);
  assert.deepEqual(
    [last.value, new TextDecoder().decode(last.payload)],
    [{ b: { c: 2, d: 3 } }, '{"b":{"c":2,"d":3}}'],
  );
});

test("a patch to a value that isn't known is left out and counted", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const readings = client.subscribe("a", { patch: true });
  socket.receive(subscribed(1), message(1, 256, { a: 1 }));
  await broker.reconnect();

  broker.socket.receive(
    subscribed(1),
    message(1, 512, { b: 2 }, { options: { patch: true } }),
    message(1, 768, { c: 3 }),
  );

  assert.deepEqual((await next(readings)).value, { a: 1 });
  assert.deepEqual((await next(readings)).value, { c: 3 });
  assert.equal(readings.dropped, 1);
});
