import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { FakeBroker } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";

const types = (packets: { type: string }[]) => packets.map(({ type }) => type);

// A page's events, where the SDK looks for them.
const page = globalThis as { addEventListener?: unknown; removeEventListener?: unknown };

function becomePage(): EventTarget {
  const target = new EventTarget();
  page.addEventListener = target.addEventListener.bind(target);
  page.removeEventListener = target.removeEventListener.bind(target);
  return target;
}

afterEach(() => {
  delete page.addEventListener;
  delete page.removeEventListener;
});

test("a quiet client asks whether the broker is there twice in each keep-alive", async () => {
  const broker = new FakeBroker();
  await broker.connected({}, { keep_alive: 10 });

  for (let n = 0; n < 3; n++) {
    await broker.clock.advance(5_000);
    assert.deepEqual(types(broker.socket.take()), ["ping"]);
    broker.socket.receive({ type: "pong" });
  }

  assert.equal(broker.sockets.length, 1);
});

test("a client that only hears says that it is there", async () => {
  const broker = new FakeBroker();
  await broker.connected({}, { keep_alive: 10 });

  for (let n = 0; n < 5; n++) {
    await broker.clock.advance(1_000);
    broker.socket.receive({ type: "pong" });
  }

  assert.deepEqual(types(broker.socket.take()), ["ping"]);
});

test("messages see to keep-alive where a hidden page's timers don't run", async () => {
  const broker = new FakeBroker();
  const { socket } = await broker.connected({}, { keep_alive: 10 });

  await broker.clock.skip(6_000);
  socket.receive({ type: "pong" });

  assert.deepEqual(types(socket.take()), ["ping"]);
});

test("a broker from which nothing comes for a whole keep-alive is gone", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected({}, { keep_alive: 10 });

  await broker.clock.advance(10_000);

  assert.match(client.state.name === "waiting" ? client.state.reason : "", /keep-alive/);
});

test("a keep-alive of 0 needs no PING", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected({}, { keep_alive: 0 });

  await broker.clock.advance(3_600_000);

  assert.deepEqual([client.state.name, socket.take().length], ["connected", 0]);
});

test("a PING is answered", async () => {
  const broker = new FakeBroker();
  const { socket } = await broker.connected();

  socket.receive({ type: "ping" });

  assert.deepEqual(types(socket.take()), ["pong"]);
});

test("after a sleep the connection is asked, and stays where it answers", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected({}, { keep_alive: 10 });

  await broker.clock.sleep(3_600_000);
  assert.deepEqual(types(socket.take()), ["ping"]);
  socket.receive({ type: "pong" });
  await broker.clock.advance(5_000);

  assert.equal(client.state.name, "connected");
});

test("after a sleep a connection that doesn't answer is given up within 5 s", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected({}, { keep_alive: 10 });

  await broker.clock.sleep(3_600_000);
  await broker.clock.advance(5_000);

  assert.match(client.state.name === "waiting" ? client.state.reason : "", /after a sleep/);
});

test("a clock that was set back puts no PING off", async () => {
  const broker = new FakeBroker();
  const { socket } = await broker.connected({}, { keep_alive: 10 });

  broker.clock.setBack(3_600_000);
  await broker.clock.advance(10_000);

  assert.ok(types(socket.take()).includes("ping"));
});

test("a page that comes online connects at once", async () => {
  const events = becomePage();
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  for (let n = 0; n < 8; n++) {
    broker.socket.closeByBroker();
    if (n < 7) await broker.nextAttempt();
  }
  assert.deepEqual([client.state.name, client.state.name === "waiting" && client.state.retryIn], ["waiting", 12_800]);

  events.dispatchEvent(new Event("online"));
  const before = broker.sockets.length;
  await broker.clock.advance(100);

  assert.equal(broker.sockets.length, before + 1);
});

test("a page that comes online before the broker wants it waits until then", async () => {
  const events = becomePage();
  const broker = new FakeBroker();
  const { socket } = await broker.connected();
  socket.receive({ type: "disconnect", code: 4503, reason: "", retry_after: 7_000 });

  events.dispatchEvent(new Event("online"));
  await broker.clock.advance(6_999);

  assert.equal(broker.sockets.length, 1);
  await broker.clock.advance(1);
  assert.equal(broker.sockets.length, 2);
});

test("a page that is shown again asks whether the connection still stands", async () => {
  const events = becomePage();
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();

  events.dispatchEvent(new Event("pageshow"));
  events.dispatchEvent(new Event("online"));
  assert.deepEqual(types(await broker.taken()), ["ping"]);
  await broker.clock.advance(5_000);

  assert.equal(client.state.name, "waiting");
  assert.notEqual(socket.closedWith, undefined);
});

test("a client that is closed leaves no timer and no listener", async () => {
  const events = becomePage();
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  await client.close();
  events.dispatchEvent(new Event("online"));
  await settled();

  assert.equal(broker.clock.timers, 0);
  assert.deepEqual(types(broker.socket.take()), ["disconnect"]);
});
