// The scenarios in Node.

import { test } from "node:test";
import { Broker } from "./broker.js";
import { scenarios } from "./scenarios.js";
import { World } from "./world.js";

for (const [title, scenario] of Object.entries(scenarios)) {
  test(`${title} (Node)`, { timeout: 60_000 }, async (t) => {
    const broker = await Broker.begin();
    const world = new World(broker.url, broker);
    t.after(async () => {
      await world.end();
      await broker.end();
    });

    await scenario(world);
  });
}
