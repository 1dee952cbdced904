// Murre from Node: `ws` and `@msgpack/msgpack`, over both subprotocols.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startBroker } from "./broker.mjs";
import { Client, json, msgpack } from "./client.mjs";

const LIMIT = { timeout: 30_000 };

for (const codec of [msgpack, json]) {
  const titled = (title) => `${title} (${codec.subprotocol})`;

  test(titled("CONNECTED says who the client is and what the broker takes"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);

    const { connected } = await Client.connect(ws, codec, { client_id: "node-1", agent: "node" });

    assert.equal(connected.client_id, "node-1");
    assert.equal(connected.session_present, false);
    assert.ok(connected.max_message >= connected.max_packet && connected.max_packet > 0);
    assert.match(connected.server, /murre/i);
  });

  test(titled("a reading arrives whole and in order"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const dashboard = await Client.connect(ws, codec);
    await dashboard.subscribe(1, "site/+/temp", { from: "live" });
    const device = await Client.connect(ws, codec);

    for (let n = 0; n < 100; n++) {
      const published = await device.publish("site/a/temp", { celsius: 21.4, n });
      assert.equal(published.code, 0);
    }

    for (let n = 0; n < 100; n++) {
      const message = await dashboard.expect("message");
      assert.equal(message.topic, "site/a/temp");
      assert.equal(message.format, 2);
      assert.deepEqual(codec.value(message), { celsius: 21.4, n });
    }
  });

  test(titled("the last value is there at once, and marked as kept"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const client = await Client.connect(ws, codec);
    await client.publish("site/a/temp", 20.9);
    await client.publish("site/a/temp", 21.4);

    const [message, ...rest] = await client.subscribe(1, "#");

    assert.deepEqual([codec.value(message), message.options.retain, rest.length], [21.4, true, 0]);
  });

  test(titled("several packets go in one message"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const client = await Client.connect(ws, codec);
    await client.subscribe(1, "site/#", { from: "live" });

    client.send(...[1, 2, 3].map((n) => ({ type: "publish", topic: "site/a", ...codec.payload(n), id: 0 })));

    for (const n of [1, 2, 3]) assert.equal(codec.value(await client.expect("message")), n);
  });

  test(titled("a fragmented message, with a ping between its fragments, is one message"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const client = await Client.connect(ws, codec);
    await client.subscribe(1, "site/#", { from: "live" });
    const bytes = Buffer.from(codec.write({ type: "publish", topic: "site/a", ...codec.payload("whole"), id: 0 }));
    const pong = new Promise((resolve) => client.socket.once("pong", resolve));

    const binary = codec === msgpack;
    client.socket.send(bytes.subarray(0, 5), { fin: false, binary });
    client.socket.ping("between");
    client.socket.send(bytes.subarray(5, 9), { fin: false, binary });
    client.socket.send(bytes.subarray(9), { fin: true, binary });

    assert.equal((await pong).toString(), "between");
    assert.equal(codec.value(await client.expect("message")), "whole");
  });

  test(titled("request and reply"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const server = await Client.connect(ws, codec);
    await server.subscribe(1, "hello", { from: "live" });
    const caller = await Client.connect(ws, codec);
    await caller.subscribe(1, "answers/1", { from: "live" });
    // Bytes are base64 in JSON.
    const correlation = codec === msgpack ? Buffer.of(1, 2, 3) : "AQID";

    const options = { reply_to: "answers/1", correlation };
    caller.send({ type: "publish", topic: "hello", ...codec.payload("Hello Server!"), id: 0, options });
    const request = await server.expect("message");
    server.send({ type: "publish", topic: request.options.reply_to, id: 0,
      ...codec.payload(`Hello, you sent -> ${codec.value(request)}`),
      options: { correlation: request.options.correlation } });

    const answer = await caller.expect("message");
    assert.equal(codec.value(answer), "Hello, you sent -> Hello Server!");
    assert.deepEqual(answer.options.correlation, correlation);
  });

  test(titled("a refusal says the code and why, and the connection stays"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const client = await Client.connect(ws, codec);

    const published = await client.publish("site/#", 1);
    assert.equal(published.code, 4422);
    assert.ok(published.reason.length > 0);
    client.send({ type: "subscribe", sub: 1, filter: "site/#/a" });
    assert.equal((await client.expect("subscribed")).code, 4422);

    assert.equal((await client.publish("site/a", 1)).code, 0);
  });

  test(titled("a normal close is answered"), LIMIT, async (t) => {
    const { ws } = await startBroker(t);
    const client = await Client.connect(ws, codec);

    client.socket.close(1000);

    assert.equal((await client.ended()).code, 1000);
  });

  test(titled("a broker that stops says so and when to come back"), LIMIT, async (t) => {
    const { ws, terminate, ended } = await startBroker(t);
    const client = await Client.connect(ws, codec);

    terminate();

    assert.equal((await client.expect("notice")).info.kind, "shutdown");
    const farewell = await client.expect("disconnect");
    assert.equal(farewell.code, 4503);
    assert.ok(farewell.retry_after >= 0);
    assert.ok([4503, 1001].includes((await client.ended()).code));
    assert.equal((await ended)[0], 0);
  });
}

test("what is published in one encoding arrives in the other", LIMIT, async (t) => {
  const { ws } = await startBroker(t);
  const binary = await Client.connect(ws, msgpack);
  const text = await Client.connect(ws, json);
  await binary.subscribe(1, "#", { from: "live" });
  await text.subscribe(1, "#", { from: "live" });

  text.send({ type: "publish", topic: "from/json", payload: { a: [1, 2] } });
  assert.deepEqual(msgpack.value(await binary.expect("message")), { a: [1, 2] });
  assert.deepEqual((await text.expect("message")).payload, { a: [1, 2] });

  binary.send({ type: "publish", topic: "from/msgpack", format: 1, payload: Uint8Array.of(0x81, 0xa1, 0x62, 0x07), id: 0 });
  assert.deepEqual((await text.expect("message")).payload, { b: 7 });
});

test("a payload without a JSON form is base64 in JSON", LIMIT, async (t) => {
  const { ws } = await startBroker(t);
  const binary = await Client.connect(ws, msgpack);
  const text = await Client.connect(ws, json);
  await text.subscribe(1, "#", { from: "live" });

  binary.send({ type: "publish", topic: "raw", format: 0, payload: Uint8Array.of(0, 255, 7), id: 0 });

  const message = await text.expect("message");
  assert.deepEqual([message.format, message.payload_base64, "payload" in message], [0, "AP8H", false]);
});

test("a string in JSON is a text payload", LIMIT, async (t) => {
  const { ws } = await startBroker(t);
  const binary = await Client.connect(ws, msgpack);
  await binary.subscribe(1, "#", { from: "live" });
  const text = await Client.connect(ws, json);

  text.send({ type: "publish", topic: "note", payload: "maintenance" });

  const message = await binary.expect("message");
  assert.deepEqual([message.format, new TextDecoder().decode(message.payload)], [3, "maintenance"]);
});

test("a page from elsewhere can't connect", LIMIT, async (t) => {
  const { ws } = await startBroker(t);

  const client = new Client(ws, json, { origin: "https://elsewhere.example" });

  await assert.rejects(client.open(), /403/);
});
