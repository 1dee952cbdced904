// The broker ends the connection of a client that sends an option of a wrong type; none leaves the client.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PublishOptions, SubscribeOptions } from "../../src/index.js";
import { FakeBroker } from "../support/fake_broker.js";

const WRONG_PUBLISH: Record<string, unknown>[] = [
  { expiry: "soon" },
  { time: "today" },
  { sequence: 1.5 },
  { sequence: -1 },
  { replyTo: 7 },
  { correlation: "AQID" },
  { properties: { unit: 7 } },
  { retain: "yes" },
];
const WRONG_SUBSCRIBE: Record<string, unknown>[] = [
  { from: 7 },
  { from: {} },
  { from: { last: "all" } },
  { from: { since: "today" } },
  { from: { after: ["x"], epoch: "e" } },
  { from: { after: [1] } },
  { onSlow: 1 },
  { maxRate: "5" },
  { where: 5 },
  { select: "celsius" },
  { deadband: 5 },
  { window: 60 },
  { patch: "yes" },
  { expect: "10" },
  { onError: true },
];

for (const options of WRONG_PUBLISH) {
  test(`a publish with ${JSON.stringify(options)} is refused here`, async () => {
    const broker = new FakeBroker();
    const { client } = await broker.connected();

    await assert.rejects(client.publish("a", 1, options as PublishOptions), TypeError);

    assert.deepEqual(await broker.taken(), []);
  });
}

for (const options of WRONG_SUBSCRIBE) {
  test(`a subscription with ${JSON.stringify(options)} is refused here`, async () => {
    const broker = new FakeBroker();
    const { client } = await broker.connected();

    assert.throws(() => client.subscribe("a", options as SubscribeOptions), TypeError);

    assert.deepEqual(await broker.taken(), []);
  });
}

test("an error names the option, what it is and what it should be", async () => {
  const { client } = await new FakeBroker().connected();

  assert.throws(() => client.subscribe("a", { maxRate: "5" as never }), /maxRate is 5: expected a number/);
  await assert.rejects(client.publish(7 as never, 1), /topic is 7: expected a string/);
  assert.throws(() => client.subscribe(undefined as never), /filter is missing/);
});
