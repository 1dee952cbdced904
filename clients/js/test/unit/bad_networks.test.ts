// Clients on networks that break at every point, checked against the log of the least broker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logged, ModelBroker, type ModelConnection, seeded } from "../support/model_broker.js";

const SEEDS = 100;
const PUBLISHES = 40;
const TOPICS = ["site/0", "site/1", "site/2"];

async function until(connections: ModelConnection[], random: () => number, cuts: boolean, reached: () => boolean) {
  for (let step = 0; !reached(); step++) {
    if (step > 20_000) throw new Error("nothing happens any more");
    for (const connection of connections) await connection.step(random(), cuts);
  }
}

/** Publishes over a bad network, with a subscriber on another; gives what the subscriber got. */
async function publishOverBadNetworks(seed: number, broker: ModelBroker): Promise<Logged[]> {
  const random = seeded(seed);
  const [device, dashboard] = [broker.connection({ buffer: { inFlight: 5 } }), broker.connection()];
  const both = [device, dashboard];
  const readings = dashboard.client.subscribe<number>("site/+", { from: "live", resume: true });
  let began = false;
  readings.on("caughtUp", () => {
    began = true;
  });
  const got: Logged[] = [];
  readings.on("message", ({ topic, position, value }) => got.push({ topic, position, value }));
  await until(both, random, false, () => began);

  let through = 0;
  for (let n = 0; n < PUBLISHES; n++) {
    device.client.publish(TOPICS[n % TOPICS.length] ?? "", n).then(() => {
      through += 1;
    });
  }
  await until(both, random, true, () => through >= PUBLISHES - 3);
  await until(both, random, false, () => through === PUBLISHES && both.every(({ isQuiet }) => isQuiet));
  return got;
}

/** Of one shard, in its order. */
function ofShard(messages: Logged[], shard: number): number[] {
  return messages.map(({ position }) => position).filter((position) => position % 256 === shard);
}

/** What is wrong with what a seed led to; undefined where nothing is. */
async function fault(seed: number): Promise<unknown> {
  const broker = new ModelBroker();
  try {
    const got = await publishOverBadNetworks(seed, broker);
    for (const shard of [0, 1, 2, 3]) assert.deepEqual(ofShard(got, shard), ofShard(broker.log, shard));
    for (const [index, topic] of TOPICS.entries()) {
      const firsts = new Set(broker.log.filter((logged) => logged.topic === topic).map(({ value }) => value));
      const published = Array.from({ length: PUBLISHES }, (_, n) => n).filter((n) => n % TOPICS.length === index);
      assert.deepEqual([...firsts], published);
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

test("nothing is lost, doubled or out of order on bad networks", async () => {
  const { MURRE_SEED: only } = process.env;
  const seeds = only ? [Number(only)] : Array.from({ length: SEEDS }, (_, n) => n + 1);
  for (const seed of seeds) {
    const cause = await fault(seed);
    if (cause) throw new Error(`seed ${seed}; alone by MURRE_SEED=${seed}`, { cause });
  }
});
