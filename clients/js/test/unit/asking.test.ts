import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeBroker, message, subscribed } from "../support/fake_broker.js";
import type { Packet } from "../support/fake_socket.js";

/** The client's request as it reached the broker. */
async function asked(broker: FakeBroker): Promise<Packet> {
  const [subscribe] = await broker.taken();
  if (subscribe?.type === "publish") return subscribe;
  broker.socket.receive(subscribed(subscribe?.sub));
  return (await broker.taken())[0] as Packet;
}

/** Answers it, on the subscription to answers. */
function answer(broker: FakeBroker, { options }: Packet, value: unknown, more = {}): void {
  const { reply_to: topic, correlation } = options;
  broker.socket.receive(message(1, 256, value, { topic, options: { correlation, ...more } }));
}

test("a request gets the answer that belongs to it", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const first = client.request<string>("rpc/echo", "one");
  const request = await asked(broker);
  const second = client.request<string>("rpc/echo", "two");
  const other = await asked(broker);

  answer(broker, other, "to two");
  answer(broker, request, "to one");

  assert.match(request.options.reply_to, /^reply\/given\/[0-9a-f]{32}$/);
  assert.deepEqual([(await first).value, (await second).value], ["to one", "to two"]);
});

test("a request without an answer ends by its timeout", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const late = client.request("rpc/echo", 1, { timeout: 1_000 });
  await asked(broker);

  await broker.clock.advance(1_000);

  await assert.rejects(late, { name: "RequestError", kind: "timeout", topic: "rpc/echo" });
});

test("a request that is refused is rejected at once", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const refused = client.request("$murre/x", 1);
  const { id } = await asked(broker);

  broker.socket.receive({ type: "published", id, code: 4403, position: 0, reason: "not yours" });

  await assert.rejects(refused, { name: "PublishError", code: 4403 });
});

test("a request can be aborted", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const stop = new AbortController();
  const request = client.request("rpc/echo", 1, { signal: stop.signal });
  await asked(broker);

  stop.abort(new Error("never mind"));

  await assert.rejects(request, /never mind/);
});

test("a client that ends leaves no request waiting", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const request = client.request("rpc/echo", 1);
  await asked(broker);

  broker.socket.receive({ type: "disconnect", code: 4409, reason: "" });

  await assert.rejects(request, { name: "ClosedError", code: 4409 });
});

test("a responder answers with what it gives, and with its error where it throws", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  client.respond<number>("rpc/half", ({ value }) => {
    if (value % 2) throw new Error(`${value} is odd`);
    return value / 2;
  });
  await broker.taken();
  const options = (n: number) => ({ options: { reply_to: "reply/x", correlation: Uint8Array.of(n) } });

  socket.receive(subscribed(1), message(1, 256, 4, options(1)), message(1, 512, 5, options(2)));
  const [half, odd] = (await broker.taken()).sort((a, b) => a.options.correlation[0] - b.options.correlation[0]);

  assert.deepEqual([half?.topic, new TextDecoder().decode(half?.payload)], ["reply/x", "2"]);
  assert.deepEqual(odd?.options.properties, { error: "5 is odd" });
});

test("an error of the responder reaches whoever asked", async () => {
  const broker = new FakeBroker();
  const { client } = await broker.connected();
  const request = client.request("rpc/half", 5);

  answer(broker, await asked(broker), null, { properties: { error: "5 is odd" } });

  await assert.rejects(request, { kind: "failed", message: /5 is odd/ });
});

test("a responder handles only so many requests at a time", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  let running = 0;
  client.respond(
    "rpc/slow",
    () => {
      running += 1;
      return new Promise(() => {});
    },
    { concurrency: 2 },
  );
  await broker.taken();

  socket.receive(subscribed(1), ...[1, 2, 3].map((n) => message(1, n * 256, n, { options: { reply_to: "r" } })));
  await broker.taken();

  assert.equal(running, 2);
});

test("presence is told by client", async () => {
  const broker = new FakeBroker();
  const { client, socket } = await broker.connected();
  const presence = client.presence();
  const [packet] = await broker.taken();

  socket.receive(
    subscribed(1),
    message(1, 256, { state: "online", since: 5 }, { topic: "$murre/clients/a" }),
    message(1, 512, "nonsense", { topic: "$murre/clients/b" }),
    message(1, 768, { state: "offline", since: 7, reason: "lost" }, { topic: "$murre/clients/a" }),
  );
  const got = [];
  for await (const change of presence) if (got.push(change) === 2) break;

  assert.equal(packet?.filter, "$murre/clients/+");
  assert.deepEqual(got, [
    { clientId: "a", state: "online", since: 5, reason: undefined },
    { clientId: "a", state: "offline", since: 7, reason: "lost" },
  ]);
});
