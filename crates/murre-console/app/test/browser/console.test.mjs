// The console in a real browser, from a real broker.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { hasLine, pixels } from "./canvas.mjs";
import { Chromium, seriousFindings } from "./chromium.mjs";

const LIMIT = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** A console on a broker of its own, which has `readings` already. */
async function openConsole(t, readings = {}, options = {}) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  for (const [topic, values] of Object.entries(readings)) {
    for (const value of [values].flat()) await broker.publish(topic, value);
  }
  const page = await browser.open(t, broker, options);
  await page.getByRole("status").getByText("Live").waitFor();
  const row = (topic) => page.locator(`[data-topic="${topic}"]`);
  return { broker, page, row };
}

test("values move as they are published", LIMIT, async (t) => {
  const { broker, row } = await openConsole(t, { "site/a/temp": { celsius: 21.4 } });
  await row("site/a/temp").getByText("21.4").waitFor();

  await broker.publish("site/a/temp", { celsius: 22.5 });

  await row("site/a/temp").getByText("22.5").waitFor();
});

test("the console is at /console too", LIMIT, async (t) => {
  const { row } = await openConsole(t, { "site/a/temp": 21.4 }, { path: "/console?filter=site/%23" });

  await row("site/a/temp").getByText("21.4").waitFor();
});

test("a plot begins with what was before, and goes on", LIMIT, async (t) => {
  const { broker, page, row } = await openConsole(t, {
    "site/a/temp": [20, 25, 21, 24].map((celsius) => ({ celsius })),
  });
  await row("site/a/temp").click();
  const canvas = page.locator(".plot canvas");
  await page.locator("figcaption").getByText("24").waitFor();
  assert.ok(await hasLine(canvas), "the past is drawn");
  const before = await pixels(canvas);

  await broker.publish("site/a/temp", { celsius: 30.5 });

  await page.locator("figcaption").getByText("30.5").waitFor();
  await page.waitForFunction((old) => document.querySelector(".plot canvas").toDataURL() !== old, before);
});

test("a sparkline begins with what was before", LIMIT, async (t) => {
  const { page } = await openConsole(t, { "site/a/temp": [1, 2, 3].map((celsius) => ({ celsius })) });

  // As the messages came within a quarter of a second they may share points: it is there, and in the list of the last.
  await page.locator('[data-topic="site/a/temp"]').click();

  await page.locator(".recent li").nth(2).waitFor();
});

test("the page heals when the broker is killed and started again, without a gap", LIMIT, async (t) => {
  const { broker, page, row } = await openConsole(t, { "site/a/temp": 1 });
  await row("site/a/temp").click();
  await page.locator(".recent li").waitFor();

  await broker.kill();
  await page.getByRole("status").getByText("Reconnecting").waitFor();
  await broker.start();
  await broker.publish("site/a/temp", 2);
  await broker.publish("site/a/temp", 3);

  await page.getByRole("status").getByText("Live").waitFor();
  await page.locator(".recent li").nth(2).waitFor();
  assert.deepEqual(await page.locator(".recent .text").allTextContents(), ["3", "2", "1"]);
});

test("the form publishes, and says when the broker refuses", LIMIT, async (t) => {
  const { page, row } = await openConsole(t);
  await page.getByRole("button", { name: "Publish" }).click();
  const form = page.getByRole("region", { name: "Publish" });
  await form.getByLabel("Topic").fill("site/a/setpoint");
  await form.getByLabel("Payload").fill('{"celsius": 19}');

  await form.getByRole("button", { name: "Publish" }).click();
  await form.getByText("Published").waitFor();
  await row("site/a/setpoint").getByText("19").waitFor();
  await form.getByLabel("Topic").fill("$murre/not/mine");
  await form.getByRole("button", { name: "Publish" }).click();

  await form.locator('output[data-state="refused"]').waitFor();
});

test("a filter that the broker refuses is said to be so, and another one works", LIMIT, async (t) => {
  const { page, row } = await openConsole(t, { "site/a": 1, "other/b": 2 });
  const filter = page.getByLabel("Filter");
  await filter.fill("site/#/x");
  await filter.press("Enter");
  await page.getByRole("alert").getByText("site/#/x").waitFor();

  await filter.fill("other/#");
  await filter.press("Enter");

  await row("other/b").waitFor();
  assert.equal(await row("site/a").count(), 0);
});

test("the keyboard alone opens a topic and closes it", LIMIT, async (t) => {
  const { page, row } = await openConsole(t, { "site/a": 1, "site/b": 2 });
  await row("site/b").waitFor();
  await page.getByRole("treegrid").focus();

  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await page.getByRole("heading", { name: "site/b" }).waitFor();
  await page.keyboard.press("Escape");

  await page.getByRole("heading", { name: "site/b" }).waitFor({ state: "detached" });
});

test("of 20,000 topics only those in sight are in the document, and each is found", LIMIT, async (t) => {
  const { broker, page } = await openConsole(t);

  await browser.publishMany(broker, 20_000);

  await page.locator("#topic-count").getByText("20,000").waitFor();
  await page.getByLabel("Search").fill("sensor/19999");
  await page.locator('[data-topic="plant/99/sensor/19999"]').waitFor();
  await page.getByLabel("Search").fill("sensor");
  await page.locator('[data-topic="plant/0/sensor/0"]').waitFor();
  assert.ok((await page.locator(".row").count()) < 100);
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious, ${colorScheme}`, LIMIT, async (t) => {
    const readings = { "site/a/temp": [{ celsius: 1 }, { celsius: 2 }], "site/b": "open" };
    const { page, row } = await openConsole(t, readings, { colorScheme });
    await row("site/a/temp").click();
    await page.locator(".plot canvas").waitFor();
    await page.getByRole("button", { name: "Publish", exact: true }).click();

    assert.deepEqual(await seriousFindings(page), []);
  });
}

test("axe finds nothing serious before anything is published", LIMIT, async (t) => {
  const { page } = await openConsole(t);
  await page.getByText("Nothing has been published").waitFor();

  assert.deepEqual(await seriousFindings(page), []);
});

test("a window of 360 pixels has all of it without scrolling sideways", LIMIT, async (t) => {
  const viewport = { width: 360, height: 640 };
  const { page, row } = await openConsole(t, { "site/a/temp": { celsius: 21.4, humidity: 40.25 } }, { viewport });
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);

  await row("site/a/temp").getByText("21.4").waitFor();
  assert.equal(await width(), 360);
  await row("site/a/temp").click();
  await page.locator(".plot canvas").first().waitFor();

  assert.equal(await width(), 360);
});
