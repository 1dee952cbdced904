// Every promise of the SDK may be left alone: none becomes an unhandled rejection, which would end a Node program.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Client } from "../../src/index.js";
import { FakeBroker } from "../support/fake_broker.js";
import { settled } from "../support/fake_clock.js";

const unhandled: unknown[] = [];
const note = (error: unknown) => unhandled.push(error);
beforeEach(() => process.on("unhandledRejection", note));
afterEach(() => process.off("unhandledRejection", note));

/** Calls everything that gives a promise, and looks at none. */
function leaveAlone(client: Client): void {
  client.publish("a", 1);
  client.publish("a", 1, { ack: false });
  client.publish("a", undefined);
  client.publish("a", 1, { signal: AbortSignal.abort() });
  client.request("a", 1, { timeout: 1_000 });
  client.request("a", 1, { signal: AbortSignal.abort() });
  client.respond("a", () => Promise.reject(new Error("no")));
  client.subscribe("a", { signal: AbortSignal.abort() });
  client.subscribe("a")[Symbol.asyncIterator]().next();
  client.subscribe("a").caughtUp();
  client.presence().on("presence", () => {});
  client.whenConnected();
  client.whenConnected({ signal: AbortSignal.abort() });
}

for (const [title, end] of [
  [
    "the broker refuses the client",
    (broker: FakeBroker) => broker.socket.receive({ type: "disconnect", code: 4401, reason: "" }),
  ],
  ["the client is closed", (_: FakeBroker, client: Client) => void client.close()],
] as const) {
  test(`nothing is unhandled where ${title}`, async () => {
    const broker = new FakeBroker();
    const { client } = await broker.connected({ closeTimeout: 100 });
    leaveAlone(client);
    await settled();

    end(broker, client);
    await broker.clock.advance(10_000);
    leaveAlone(client);
    await broker.clock.advance(10_000);

    assert.deepEqual(unhandled, []);
    assert.equal(client.state.name, "closed");
  });
}

test("nothing is unhandled where there is never a connection", async () => {
  const broker = new FakeBroker();
  const client = broker.client({ buffer: { messages: 1 } });
  leaveAlone(client);

  await settled();
  broker.socket.closeByBroker();
  await broker.clock.advance(60_000);
  client.close();
  await broker.clock.advance(60_000);

  assert.deepEqual(unhandled, []);
  assert.equal(client.state.name, "closed");
});
