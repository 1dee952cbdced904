// Who has to do with a topic, in a real browser, as a real broker says it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { Chromium, seriousFindings } from "./chromium.mjs";
import { Device } from "./device.mjs";

const LIMIT = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** A topic in full: boiler-7 publishes on it, the wall has it by a filter with a view, another one has something else. */
async function openTopic(t, options = {}) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  const [boiler, wall, other] = await Promise.all(
    ["boiler-7", "wall", "other"].map((id) => Device.connect(t, broker, id)),
  );
  await wall.subscribe("site/+/temp", { max_rate: 2 });
  await other.subscribe("elsewhere/#");
  await boiler.publish("site/a/temp", 21.4);
  const page = await browser.open(t, broker, { path: "/?topic=site/a/temp", ...options });
  const who = page.getByRole("region", { name: "Who publishes and who is subscribed" });
  return { page, who };
}

test("a topic says who publishes there, who is subscribed by what, and what keeps it", LIMIT, async (t) => {
  const { who } = await openTopic(t);

  const publishers = who.getByRole("list", { name: "1 publisher" });
  await publishers.locator('[data-client="boiler-7"]').getByText("127.0.0.1:").waitFor();
  const subscriber = who.locator('[data-client="wall"]');
  await subscriber.getByText("site/+/temp").waitFor();
  await subscriber.getByText("at most 2/s").waitFor();
  await who.getByText("the last 1,000 messages, on disk").waitFor();
  assert.equal(await who.locator('[data-client="other"]').count(), 0);
});

test("the head of a topic says from whom to how many", LIMIT, async (t) => {
  const { page } = await openTopic(t);

  // The page is one of them, by the list of topics and by this one.
  await page.getByText(/From boiler-7 to \d subscribers/).waitFor();
});

test("a client that publishes on a topic is a click away", LIMIT, async (t) => {
  const { page, who } = await openTopic(t);

  await who.getByRole("link", { name: "boiler-7" }).first().click();

  await page.getByRole("heading", { name: "boiler-7" }).waitFor();
  assert.match(page.url(), /view=clients&client=boiler-7|client=boiler-7.*view=clients/);
});

test("a page from elsewhere has the topic, and is told why not who publishes there", LIMIT, async (t) => {
  const { page, who } = await openTopic(t, { extraHTTPHeaders: { "X-Forwarded-For": "10.0.0.5" }, excused: /403/ });

  await who.getByText("shown on the broker's own machine only").waitFor();

  await page.locator('[data-topic="site/a/temp"]').getByText("21.4").waitFor();
  await who.getByRole("link", { name: "How to see it" }).click();
  await page.getByText("ssh -N -L").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious in who publishes, ${colorScheme}`, LIMIT, async (t) => {
    const { page, who } = await openTopic(t, { colorScheme });
    await who.getByText("at most 2/s").waitFor();

    assert.deepEqual(await seriousFindings(page), []);
  });
}
