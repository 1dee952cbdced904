// How long the page is busy in a row, by the processor's time that it had: other programs don't count.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { Chromium } from "./chromium.mjs";

const LIMIT = { timeout: 180_000 };
/** Milliseconds of a task that nobody notices. */
const TASK_MAX = 100;
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** A console that has so many topics. */
async function openConsole(t, count) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  await browser.publishMany(broker, count);
  const page = await browser.open(t, broker);
  await page.locator("#topic-count").getByText(count.toLocaleString("en")).waitFor();
  return { broker, page };
}

/** Scrolls through the whole list, a screen for each frame drawn. */
const scrollThrough = (page) =>
  page.locator(".scroller").evaluate(async (scroller) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const screens = 100;
    const step = (scroller.scrollHeight - scroller.clientHeight) / screens;
    for (let screen = 1; screen <= screens; screen++) {
      scroller.scrollTop = step * screen;
      await frame();
    }
  });

test("20,000 topics are scrolled through without a task over 100 ms", LIMIT, async (t) => {
  const { page } = await openConsole(t, 20_000);
  await page.getByLabel("Search").fill("sensor");
  await page.locator('[data-topic="plant/0/sensor/0"]').waitFor();

  const longest = await browser.longestTask(page, () => scrollThrough(page));

  await page.locator('[data-topic="plant/99/sensor/19999"]').waitFor();
  assert.ok(longest > 0, "tasks were measured");
  assert.ok(longest < TASK_MAX, `a task took ${longest} ms`);
});

test("20,000 topics that all change at once don't stop the page", LIMIT, async (t) => {
  const { broker, page } = await openConsole(t, 20_000);
  await page.getByLabel("Search").fill("sensor/19999");
  const value = page.locator('[data-topic="plant/99/sensor/19999"] .value');
  await value.getByText("19,999").waitFor();

  const longest = await browser.longestTask(page, async () => {
    await browser.publishMany(broker, 20_000, 1_000_000);
    await value.getByText("1,019,999").waitFor();
  });

  assert.ok(longest < TASK_MAX, `a task took ${longest} ms`);
});
