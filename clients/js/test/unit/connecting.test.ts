import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { ClientState } from "../../src/index.js";
import { Message } from "../../src/message.js";
import { socketUrl } from "../../src/shell/config.js";
import { FakeBroker } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";

test("CONNECT says who the client is and what it wants", async () => {
  const broker = new FakeBroker();

  const { connect, socket } = await broker.connected({
    clientId: "boiler-7",
    token: "t0ken",
    keepAlive: 30,
    sessionExpiry: 3600,
    will: { topic: "site/a/state", value: "gone", retain: true, delay: 5 },
  });

  assert.deepEqual(socket.protocols, ["murre.v1.msgpack"]);
  const { will, ...options } = connect.options;
  assert.deepEqual(options, {
    client_id: "boiler-7",
    token: "t0ken",
    keep_alive: 30,
    session_expiry: 3600,
    agent: options.agent,
  });
  assert.deepEqual(
    { ...will, payload: new TextDecoder().decode(will.payload) },
    {
      topic: "site/a/state",
      format: 3,
      payload: "gone",
      retain: true,
      delay: 5,
    },
  );
});

test("a client says its program and version", async () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));

  const { connect } = await new FakeBroker().connected();

  assert.equal(connect.options.agent, `murre-js/${version}`);
});

test("a client keeps the name that the broker gave it", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected({}, { client_id: "given-1" });

  const { connect } = await broker.reconnect();

  assert.equal(client.clientId, "given");
  assert.equal(connect.options.client_id, "given-1");
});

test("the state says each step, and whenConnected waits for a connection", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const states: ClientState[] = [];
  client.on("state", (state) => states.push(state));
  const info = client.whenConnected();

  await broker.accept();
  broker.socket.closeByBroker(1006);
  await broker.clock.advance(100);
  await broker.accept();
  await client.close();

  assert.equal((await info).epoch, "e1");
  assert.deepEqual(
    states.map(({ name }) => name),
    ["connected", "waiting", "connecting", "connected", "closing", "closed"],
  );
});

test("waits between attempts double up to the maximum, with full jitter", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  const waits: number[] = [];
  client.on("state", (state) => state.name === "waiting" && waits.push(state.retryIn));

  await settled();
  for (let n = 0; n < 10; n++) {
    broker.socket.closeByBroker();
    await broker.nextAttempt();
  }
  broker.clock.chance = 0;
  broker.socket.closeByBroker();

  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 0]);
});

test("a broker that takes clients and drops them is asked less and less, one that held is not", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const waits: number[] = [];
  client.on("state", (state) => state.name === "waiting" && waits.push(state.retryIn));

  for (let n = 0; n < 3; n++) await broker.reconnect();
  await broker.clock.advance(30_000);
  broker.socket.closeByBroker();

  assert.deepEqual(waits, [100, 200, 400, 100]);
});

test("a broker that says when to come back is not asked earlier", async () => {
  const broker = new FakeBroker();
  await broker.connected();

  broker.socket.receive({ type: "disconnect", code: 4503, reason: "going away", retry_after: 7_000 });
  await broker.clock.advance(6_999);
  assert.equal(broker.sockets.length, 1);
  await broker.clock.advance(1);

  assert.equal(broker.sockets.length, 2);
});

for (const code of [0, 4400, 4401, 4403, 4409, 4413, 4422, 4501]) {
  test(`a client that is told ${code} does not come back`, async () => {
    const broker = new FakeBroker();
    const { client } = await broker.connected();

    broker.socket.receive({ type: "disconnect", code, reason: "so it is" });
    await broker.clock.advance(60_000);

    assert.deepEqual([client.state.name, broker.sockets.length], ["closed", 1]);
    await assert.rejects(client.whenConnected(), { name: "ClosedError", code });
  });
}

for (const code of [4408, 4410, 4429, 4500, 4503, 4999]) {
  test(`a client that is told ${code} comes back`, async () => {
    const broker = new FakeBroker();
    await broker.connected();

    broker.socket.closeByBroker(code);
    await broker.clock.advance(100);

    assert.equal(broker.sockets.length, 2);
  });
}

test("what answers with something else than CONNECTED is no broker", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  await settled();

  broker.socket.open();
  broker.socket.receive({ type: "pong" });

  assert.match(client.state.name === "waiting" ? client.state.reason : "", /no Murre broker/);
});

test("a server without the subprotocol is left, and asked again later", async () => {
  const broker = new FakeBroker();
  const client = broker.client();
  await settled();

  broker.socket.open("");

  assert.match(client.state.name === "waiting" ? client.state.reason : "", /murre\.v1\.msgpack/);
});

test("an attempt that gets no answer ends after its timeout", async () => {
  const broker = new FakeBroker();
  broker.client({ connectTimeout: 3_000 });
  await settled();

  await broker.clock.advance(3_100);

  assert.equal(broker.sockets.length, 2);
});

test("a packet that can't be read ends the connection with 4400, not the client", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();

  broker.socket.receiveBytes(Uint8Array.of(0x93, 9));

  assert.equal(broker.socket.closedWith?.code, 4400);
  assert.deepEqual([client.state.name, client.state.name === "waiting" && client.state.code], ["waiting", 4400]);
});

test("addresses are completed, and wrong ones said", () => {
  assert.equal(socketUrl("ws://127.0.0.1:8080"), "ws://127.0.0.1:8080/ws");
  assert.equal(socketUrl("https://broker/#top"), "wss://broker/ws");
  assert.equal(socketUrl("ws://broker/murre/ws?x=1"), "ws://broker/murre/ws?x=1");
  assert.throws(() => socketUrl("127.0.0.1:8080"), /ws:\/\/host:port\/ws/);
  assert.throws(() => socketUrl("ftp://broker"), /ws:\/\/host:port\/ws/);
  assert.throws(() => socketUrl("ws://me:secret@broker"), /username, password or token/);
});

test("a client id that can't be is refused at once", () => {
  for (const clientId of ["", "a/b", "a+", "a#", "a\nb", "x".repeat(129)]) {
    assert.throws(() => new FakeBroker().client({ clientId }), /client id/);
  }
});

test("a signal closes the client", async () => {
  const broker = new FakeBroker();
  const stop = new AbortController();
  const { client } = await broker.connected({ signal: stop.signal });

  stop.abort();
  await client.closed;

  assert.deepEqual(
    broker.socket.take().map(({ type }) => type),
    ["disconnect"],
  );
  assert.equal(broker.socket.closedWith?.code, 1000);
});

test("the age of a message is by the broker's clock", async () => {
  const broker = new FakeBroker();
  const wire = { type: "message", sub: 1, topic: "t", format: 2, payload: new Uint8Array(), position: 1 } as const;
  const message = new Message({ ...wire, time: 1_000, options: undefined });

  const { client } = await broker.connected({}, { time: 1_500 });
  await broker.clock.advance(250);

  assert.equal(client.brokerTime, 1_750);
  assert.equal(message.age(client.brokerTime), 750);
  assert.equal(message.age(0), 0);
});
