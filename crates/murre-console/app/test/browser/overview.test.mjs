// The broker's own figures in a real browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { lineIn, pixels } from "./canvas.mjs";
import { Chromium, seriousFindings } from "./chromium.mjs";
import { Device, during, flood } from "./device.mjs";

const LIMIT = { timeout: 60_000 };
const FIGURES = [
  "received",
  "delivered",
  "clients",
  "topics",
  "subscriptions",
  "slow",
  "storeBytes",
  "commitMs",
  "processors",
  "memoryBytes",
];
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

async function openOverview(t, options = {}) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  const page = await browser.open(t, broker, { path: "/?view=overview", ...options });
  const card = (figure) => page.locator(`[data-figure="${figure}"]`);
  const value = (figure) => card(figure).locator(".now");
  return { broker, page, card, value };
}

/** Publishes a reading of one of five sites. */
function reading(broker) {
  const value = Math.random();
  return broker.publish(`site/${Math.floor(value * 5)}/temp`, value);
}

test("every figure has a value, and a plot that is drawn", LIMIT, async (t) => {
  const { broker, page, card, value } = await openOverview(t);

  await during(value("commitMs").getByText(/\d ms/).waitFor(), () => reading(broker));

  for (const figure of FIGURES) {
    assert.match(await value(figure).textContent(), /\d/, figure);
    await page.waitForFunction((name) => document.querySelector(`[data-figure="${name}"] canvas`), figure);
  }
  await lineIn(card("memoryBytes").locator("canvas"));
  await lineIn(card("received").locator("canvas"));
});

test("figures and plots move with what the broker does", LIMIT, async (t) => {
  const { broker, page, card, value } = await openOverview(t);
  await value("received").getByText("0/s").waitFor();
  const before = await pixels(card("received").locator("canvas"));

  await during(value("received").getByText(/[1-9]/).waitFor(), () => reading(broker));

  await page.waitForFunction(
    (old) => document.querySelector('[data-figure="received"] canvas').toDataURL() !== old,
    before,
  );
});

test("a client that connects is counted", LIMIT, async (t) => {
  const { broker, value } = await openOverview(t);
  await value("clients").getByText("1", { exact: true }).waitFor();

  await Device.connect(t, broker, "boiler-7");

  await value("clients").getByText("2", { exact: true }).waitFor();
});

test("a slow consumer is counted, marked, and a click away", LIMIT, async (t) => {
  const { broker, page, card } = await openOverview(t);
  const device = await Device.connect(t, broker, "zzz");
  await device.subscribe("flood");
  device.stall();

  await during(card("slow").and(page.locator('[data-bad="true"]')).waitFor(), () => flood(broker, "flood"));
  await card("slow").getByRole("link").click();

  await page.locator('[data-client="zzz"][data-slow="true"]').waitFor();
});

test("the figures go on after the broker was killed and started again", LIMIT, async (t) => {
  const { broker, page, value } = await openOverview(t);
  await value("clients").getByText("1", { exact: true }).waitFor();

  await broker.kill();
  await page.locator('.overview[data-stale="true"]').waitFor();
  await broker.start();
  await page.locator('.overview[data-stale="false"]').waitFor();
  await Device.connect(t, broker, "boiler-7");

  await value("clients").getByText("2", { exact: true }).waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious in the overview, ${colorScheme}`, LIMIT, async (t) => {
    const { page, value } = await openOverview(t, { colorScheme });
    await value("memoryBytes").getByText("MiB").waitFor();

    assert.deepEqual(await seriousFindings(page), []);
  });
}

test("a window of 360 pixels has the overview without scrolling sideways", LIMIT, async (t) => {
  const { page, value } = await openOverview(t, { viewport: { width: 360, height: 640 } });
  await value("memoryBytes").getByText("MiB").waitFor();

  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});
