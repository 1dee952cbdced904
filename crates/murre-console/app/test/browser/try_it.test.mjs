// Views tried side by side, in a real browser with a real broker.

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

/** The view, with settings from its address, on a broker that has readings of `site/a/temp`. */
async function openTryIt(t, settings = {}, options = {}) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  for (let n = 0; n < 20; n++) await broker.publish("site/a/temp", { celsius: n, door: "shut" });
  const search = new URLSearchParams({ view: "try" });
  for (const [name, value] of Object.entries(settings)) search.set(`try.${name}`, value);
  const page = await browser.open(t, broker, { path: `/?${search}`, ...options });
  const side = (name) => page.getByRole("region", { name });
  return { broker, page, plain: side("Without the view"), viewed: side("With the view") };
}

/** A figure of one side as a number. */
const cost = async (side, name) => {
  const text = await side.locator(".costs div").filter({ hasText: name }).first().locator("dd").textContent();
  return Number.parseFloat(text.replaceAll(",", ""));
};

const HISTORY = { filter: "site/#", from: "last-n", "from.n": "20" };

test("what a view costs stands beside what it saves", LIMIT, async (t) => {
  const settings = { ...HISTORY, where: "payload.celsius > 14.5", select: "celsius" };
  const { plain, viewed } = await openTryIt(t, settings);

  await plain.getByText('{"celsius":19,"door":"shut"}').waitFor();
  await viewed.getByText('{"celsius":19}').waitFor();

  assert.deepEqual([await cost(plain, "Messages"), await cost(viewed, "Messages")], [20, 5]);
  assert.ok((await cost(viewed, "Bytes")) > 0);
  await viewed.getByText("% less").waitFor();
});

test("both sides go on live, and keep only their newest messages", LIMIT, async (t) => {
  const { broker, plain, viewed } = await openTryIt(t, { ...HISTORY, "deadband.path": "celsius", "deadband.abs": "5" });
  await viewed.getByText('"celsius":15').waitFor();

  for (const celsius of [16, 99]) await broker.publish("site/a/temp", { celsius, door: "open" });

  await viewed.getByText('"celsius":99').waitFor();
  await plain.getByText('"celsius":99').waitFor();
  assert.equal(await plain.locator(".newest li").count(), 20);
  assert.equal(await viewed.locator(".newest li").filter({ hasText: '"celsius":16' }).count(), 0);
});

test("what the broker refuses is said at the option, and another one is tried", LIMIT, async (t) => {
  const { page, viewed } = await openTryIt(t, { ...HISTORY, where: "payload.celsius >" });
  const where = page.locator('[data-setting="where"]');
  await where.getByRole("alert").getByText("options.where").waitFor();

  await where.getByRole("textbox").fill("payload.celsius == 7.0");
  await where.getByRole("textbox").press("Enter");

  await viewed.getByText('"celsius":7').waitFor();
  assert.equal(await where.getByRole("alert").count(), 0);
});

test("what can't be read is said at the option before the broker is asked", LIMIT, async (t) => {
  const { page } = await openTryIt(t);

  await page.getByLabel("Messages/s of a topic").fill("often");
  await page.getByRole("button", { name: "Subscribe" }).click();

  await page.locator('[data-setting="max_rate"]').getByText("often is no number").waitFor();
});

test("the address has what is tried", LIMIT, async (t) => {
  const { page, viewed } = await openTryIt(t);
  await page.getByLabel("Filter").fill("site/a/+");
  await page.getByLabel("Only these paths").fill("celsius");
  await page.getByRole("button", { name: "Subscribe" }).click();
  await viewed.getByText('{"celsius":19}').waitFor();

  await page.reload();

  await viewed.getByText('{"celsius":19}').waitFor();
  assert.equal(await page.getByLabel("Filter").inputValue(), "site/a/+");
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious on it, ${colorScheme}`, LIMIT, async (t) => {
    const { page, plain } = await openTryIt(t, { ...HISTORY, where: "payload.celsius >" }, { colorScheme });
    await plain.getByText('"celsius":19').waitFor();
    await page.getByRole("alert").waitFor();

    assert.deepEqual(await seriousFindings(page), []);
  });
}

test("it fits 360 pixels", LIMIT, async (t) => {
  const { page, plain } = await openTryIt(t, HISTORY, { viewport: { width: 360, height: 640 } });
  await plain.getByText('"celsius":19').waitFor();

  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});
