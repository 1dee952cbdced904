// The scenarios in Chromium, and what only a page does.

import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { Broker } from "./broker.js";
import { Chromium } from "./chromium.js";
import { scenarios } from "./scenarios.js";
import { World } from "./world.js";

const LIMIT = { timeout: 60_000 };
let browser: Chromium;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

async function openPage(t: TestContext) {
  const broker = await Broker.begin();
  const { page, errors } = await browser.open(broker);
  t.after(async () => {
    await page.close();
    await broker.end();
  });
  return { broker, page, errors };
}

for (const title of Object.keys(scenarios)) {
  test(`${title} (Chromium)`, LIMIT, async (t) => {
    const { broker, page, errors } = await openPage(t);

    await page.evaluate(([name, url]) => (globalThis as unknown as PageGlobals).runScenario(name, url), [
      title,
      broker.url,
    ] as const);

    assert.deepEqual(errors, []);
  });
}

test("the page in the README shows readings as they come (Chromium)", LIMIT, async (t) => {
  const broker = await Broker.begin();
  const world = new World(broker.url, broker);
  const { page, errors } = await browser.openReadme(broker.url);
  t.after(async () => {
    await Promise.all([page.close(), world.end()]);
    await broker.end();
  });

  await world.client().publish("site/a/temp", { celsius: 21.4 });

  await page.getByText("21.4 °C").waitFor();
  assert.equal(await page.locator("#state").textContent(), "connected");
  assert.deepEqual(errors, []);
});

interface PageGlobals {
  runScenario(title: string, url: string): Promise<void>;
  World: typeof World;
  world: World;
  client: ReturnType<World["client"]>;
}

test(
  "a page that was frozen while the broker was restarted goes on when it is shown again (Chromium)",
  LIMIT,
  async (t) => {
    const { broker, page } = await openPage(t);
    const devtools = await page.context().newCDPSession(page);
    await page.evaluate(async (url) => {
      const globals = globalThis as unknown as PageGlobals;
      globals.client = new globals.World(url, {} as never).client();
      await globals.client.whenConnected();
    }, broker.url);

    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    await broker.stall();
    await broker.kill();
    await broker.start();
    await devtools.send("Page.setWebLifecycleState", { state: "active" });

    await page.evaluate(async () => {
      const { client } = globalThis as unknown as PageGlobals;
      await client.publish("site/a", 1);
    });
  },
);

test("a page that comes online again connects at once (Chromium)", LIMIT, async (t) => {
  const { broker, page } = await openPage(t);
  const backoff = { min: 600_000, max: 600_000 };
  await page.evaluate(
    async ([url, waits]) => {
      const globals = globalThis as unknown as PageGlobals;
      globals.client = new globals.World(url, {} as never).client({ backoff: waits });
      await globals.client.whenConnected();
    },
    [broker.url, backoff] as const,
  );

  await page.context().setOffline(true);
  await broker.cut();
  await page.waitForFunction(() => (globalThis as unknown as PageGlobals).client.state.name === "waiting");
  await page.context().setOffline(false);

  await page.evaluate(async () => {
    const { client } = globalThis as unknown as PageGlobals;
    await client.publish("site/a", 1);
  });
});
