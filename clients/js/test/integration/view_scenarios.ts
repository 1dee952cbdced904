// What a view shows, against a real broker.

import type { Scenario } from "./scenarios.js";
import { range, rejection, same, take, values } from "./world.js";

export const viewScenarios: Record<string, Scenario> = {
  "a view shows what was asked for, and changes in place": async (world) => {
    const client = world.client();
    const where = "payload.celsius > 30.0";
    const hot = client.subscribe("site/#", { from: "live", where, select: ["celsius"] });
    await hot.ready;

    await client.publish("site/a", { celsius: 20.5, n: 1 });
    await client.publish("site/a", { celsius: 31.5, n: 2 });
    same(values(await take(hot, 1)), [{ celsius: 31.5 }]);
    await hot.update({ where: null });
    await client.publish("site/a", { celsius: 20.5, n: 3 });

    same(values(await take(hot, 1)), [{ celsius: 20.5 }]);
    same(hot.view?.where, undefined);
  },

  "patches are put together unseen": async (world) => {
    const client = world.client();
    const whole = (n: number) => ({ name: "pump", position: { lat: 49.01, lon: 8.4 }, n, ...(n % 3 && { odd: n }) });
    const readings = client.subscribe("site/#", { from: "live", patch: true });
    await readings.ready;

    for (const n of range(100)) client.publish(`site/${n % 2}`, whole(n), { format: n % 2 ? "msgpack" : "json" });

    const got = await take(readings, 100);
    for (const shard of [0, 1]) {
      const ofTopic = got.filter(({ topic }) => topic === `site/${shard}`);
      const published = range(100).filter((n) => n % 2 === shard);
      // The order of keys means nothing, and patches don't keep it.
      same(
        ofTopic.map(({ value }) => sorted(value)),
        published.map((n) => sorted(whole(n))),
      );
    }
    same(readings.dropped, 0);
  },

  "a rate leaves values out, and never the last one": async (world) => {
    const client = world.client();
    const readings = client.subscribe<number>("site/a", { from: "live", maxRate: 20 });
    await readings.ready;

    for (const n of range(1_000)) client.publish("site/a", n, { ack: false });

    let count = 0;
    for await (const { value } of readings) {
      count += 1;
      if (value === 999) break;
    }
    same(count < 1_000, true);
  },

  "a view that can't be is refused with its reason, and the client goes on": async (world) => {
    const client = world.client();
    const refused = client.subscribe("site/#", { where: "payload.celsius >" });

    const error = await rejection(refused.ready);

    same([error.code, error.message.includes("where")], [4422, true]);
    await client.publish("site/a", 1);
  },
};

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .map(([key, inner]) => [key, sorted(inner)])
    .sort();
}
