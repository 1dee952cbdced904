// Dashboards in a real browser, with readings from a real broker.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { Chromium, seriousFindings } from "./chromium.mjs";

const LIMIT = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** A dashboard with a plot of `celsius` and the state of a door, pinned by hand. */
async function openDashboard(t) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  for (const celsius of [20, 25, 21.5]) await broker.publish("site/a/temp", { celsius });
  await broker.publish("site/a/door", "shut");
  const page = await browser.open(t, broker);
  await page.locator('[data-topic="site/a/temp"]').click();
  await page.getByRole("button", { name: "Pin celsius to the dashboard" }).click();
  await page.locator('[data-topic="site/a/door"]').click();
  await page.getByRole("button", { name: "Pin payload to the dashboard" }).click();
  await page.getByRole("button", { name: "Dashboards" }).click();
  await page.locator(".widget .plot canvas").waitFor();
  return { broker, page };
}

/** What changes a dashboard is there while it is edited. */
const edit = (page) => page.getByRole("button", { name: "Edit" }).click();

const topics = (page) => page.locator(".widget-head .topic").allTextContents();

test("what is pinned is live, also after a reload", LIMIT, async (t) => {
  const { broker, page } = await openDashboard(t);
  await page.locator('[data-kind="state"]').getByText("shut").waitFor();

  await page.reload();
  await page.locator('[data-kind="state"]').getByText("shut").waitFor();
  await broker.publish("site/a/door", "open");

  await page.locator('[data-kind="state"]').getByText("open").waitFor();
});

test("a field is shown in other ways", LIMIT, async (t) => {
  const { page } = await openDashboard(t);
  await edit(page);
  const kind = page.getByLabel("How site/a/temp celsius is shown");

  await kind.selectOption("number");
  await page.locator('[data-kind="number"] .big').getByText("21.5").waitFor();
  await kind.selectOption("gauge");

  await page.locator(".gauge strong").getByText("21.5").waitFor();
});

test("widgets are put in order by dragging and by keyboard", LIMIT, async (t) => {
  const { page } = await openDashboard(t);
  await edit(page);
  assert.deepEqual(await topics(page), ["site/a/temp", "site/a/door"]);

  await page.locator(".widget").nth(1).dragTo(page.locator(".widget").nth(0));
  assert.deepEqual(await topics(page), ["site/a/door", "site/a/temp"]);
  await page.getByRole("button", { name: "Move site/a/temp celsius forward" }).press("Enter");

  assert.deepEqual(await topics(page), ["site/a/temp", "site/a/door"]);
});

test("where something has been is drawn as a track", LIMIT, async (t) => {
  const { broker, page } = await openDashboard(t);
  await broker.publish("van", { type: "Point", coordinates: [12.5, 55.25] });
  await page.getByRole("button", { name: "Topics" }).click();
  await page.locator('[data-topic="van"]').click();
  await page.getByRole("button", { name: "Pin track of coordinates to the dashboard" }).click();

  await page.getByRole("button", { name: "Dashboards" }).click();
  await page.locator(".map").getByText("55.25000, 12.50000").waitFor();
  await broker.publish("van", { type: "Point", coordinates: [12.75, 55.5] });

  await page.locator(".map").getByText("55.50000, 12.75000").waitFor();
});

test("an address carries a dashboard to another browser", LIMIT, async (t) => {
  const { broker, page } = await openDashboard(t);
  await edit(page);
  await page.getByLabel("Name").fill("Kitchen");
  await page.evaluate(() => {
    navigator.clipboard.writeText = (text) => {
      globalThis.shared = text;
      return Promise.resolve();
    };
  });
  await page.getByRole("button", { name: "Share" }).click();
  const address = await page.waitForFunction(() => globalThis.shared);

  const other = await browser.open(t, broker, { path: await address.jsonValue() });

  await other.locator('[data-kind="state"]').getByText("shut").waitFor();
  assert.equal(await other.getByLabel("Dashboard").locator("option:checked").textContent(), "Kitchen");
});

test("a dashboard goes out as a file and comes in again", LIMIT, async (t) => {
  const { page } = await openDashboard(t);
  await edit(page);
  await page.getByLabel("Name").fill("Kitchen");
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  const file = await (await downloading).path();

  await page.getByRole("button", { name: "Delete" }).click();
  await page.locator(".widget").first().waitFor({ state: "detached" });
  await page.getByLabel("Import").setInputFiles(file);

  await page.locator('[data-kind="state"]').getByText("shut").waitFor();
});

test("axe finds nothing serious on a dashboard", LIMIT, async (t) => {
  const { page } = await openDashboard(t);
  await edit(page);
  await page.getByLabel("How site/a/temp celsius is shown").selectOption("gauge");
  await page.locator(".gauge").waitFor();

  assert.deepEqual(await seriousFindings(page), []);
});

test("a dashboard fits 360 pixels", LIMIT, async (t) => {
  const { page } = await openDashboard(t);

  await page.setViewportSize({ width: 360, height: 640 });
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);

  assert.equal(await width(), 360);
  await edit(page);
  assert.equal(await width(), 360);
});
