// Who is connected, in a real browser, as a real broker says it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { lineIn } from "./canvas.mjs";
import { Chromium, seriousFindings } from "./chromium.mjs";
import { Device, during, flood } from "./device.mjs";

const LIMIT = { timeout: 60_000 };
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** The view of a broker's clients, with devices of these ids. */
async function openClients(t, ids, options = {}) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  const devices = await Promise.all(ids.map((id) => Device.connect(t, broker, id)));
  const page = await browser.open(t, broker, { path: "/?view=clients", ...options });
  const row = (id) => page.locator(`[data-client="${id}"]`);
  return { broker, devices, page, row };
}

test("who is connected is there with address, protocol, and what it is subscribed to", LIMIT, async (t) => {
  const { devices, page, row } = await openClients(t, ["wall"]);
  await devices[0].subscribe("site/#", { max_rate: 2 });

  await row("wall").getByText("127.0.0.1:").waitFor();
  await row("wall").getByText("WebSocket, JSON").waitFor();
  await page.getByRole("link", { name: "wall" }).click();

  const filters = page.getByRole("list", { name: "Subscriptions" });
  await filters.getByText("site/#").waitFor();
  await filters.getByText("at most 2/s").waitFor();
});

test("a client's rate is seen as it publishes, in the list and as a plot", LIMIT, async (t) => {
  const { devices, page, row } = await openClients(t, ["boiler-7"]);
  await page.getByRole("link", { name: "boiler-7" }).click();
  const plot = page.locator(".trends canvas").first();
  const rate = row("boiler-7").getByText(/^[\d.,]*[1-9][\d.,]*\/s$/);

  await during(Promise.all([rate.first().waitFor(), plot.waitFor().then(() => lineIn(plot))]), () =>
    devices[0].publish("site/a/temp", 21.4),
  );
});

test("a client that doesn't read comes first and is marked as slow", LIMIT, async (t) => {
  const { broker, devices, page, row } = await openClients(t, ["alert", "zzz"]);
  const [, stalled] = devices;
  await stalled.subscribe("flood");
  await row("zzz").waitFor();
  assert.equal(await page.locator("tbody tr").last().getAttribute("data-client"), "zzz");

  stalled.stall();
  await during(row("zzz").getByText("slow", { exact: true }).waitFor(), () => flood(broker, "flood"));

  assert.equal(await page.locator("tbody tr").first().getAttribute("data-client"), "zzz");
  await row("alert").waitFor();
});

test("the keyboard alone disconnects a client, which is told the reason", LIMIT, async (t) => {
  const { devices, page, row } = await openClients(t, ["boiler-7"]);
  await page.getByRole("link", { name: "boiler-7" }).press("Enter");
  await page.getByRole("button", { name: "Disconnect…" }).press("Enter");
  await page.getByRole("dialog").waitFor();
  const told = devices[0].hears("it floods the line");

  await page.keyboard.type("it floods the line");
  await page.keyboard.press("Enter");

  await told;
  await page.getByText("boiler-7 was disconnected.").waitFor();
  await row("boiler-7").waitFor({ state: "detached" });
});

test("Escape leaves the question, and the client where it is", LIMIT, async (t) => {
  const { devices, page } = await openClients(t, ["boiler-7"]);
  await page.getByRole("link", { name: "boiler-7" }).click();
  await page.getByRole("button", { name: "Disconnect…" }).click();

  await page.keyboard.press("Escape");

  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "boiler-7" }).waitFor();
  await devices[0].publish("site/a/temp", 1);
});

test("a reason that is too long is said to be so before it is sent", LIMIT, async (t) => {
  const { page } = await openClients(t, ["boiler-7"]);
  await page.getByRole("link", { name: "boiler-7" }).click();
  await page.getByRole("button", { name: "Disconnect…" }).click();

  await page.getByLabel("Reason").fill("é".repeat(101));

  await page.getByRole("alert").getByText("200 bytes; this one has 202").waitFor();
  assert.ok(await page.getByRole("button", { name: "Disconnect", exact: true }).isDisabled());
});

test("many clients are there page by page, and each is found", LIMIT, async (t) => {
  const ids = Array.from({ length: 130 }, (_, n) => `device-${String(n).padStart(3, "0")}`);
  const { page, row } = await openClients(t, ids);
  // This page is one of them.
  await page.locator("#client-count").getByText("1–100 of 131").waitFor();
  assert.equal(await page.locator("tbody tr").count(), 100);

  await page.getByRole("button", { name: "Next" }).click();
  await page.locator("#client-count").getByText("101–131 of 131").waitFor();
  assert.equal(await page.locator("tbody tr").count(), 31);
  await page.getByLabel("Search").fill("DEVICE-07");

  await page.locator("#client-count").getByText("10 found").waitFor();
  await row("device-077").waitFor();
});

test("a page from elsewhere is told why it sees nobody, and what to do", LIMIT, async (t) => {
  // What a proxy adds; to say 403 is what the broker is there for.
  const elsewhere = { extraHTTPHeaders: { "X-Forwarded-For": "10.0.0.5" }, excused: /403/ };
  const { page } = await openClients(t, ["boiler-7"], elsewhere);

  await page.getByRole("heading", { name: "Shown on the broker's own machine only" }).waitFor();

  await page.getByText("ssh -N -L").waitFor();
  assert.equal(await page.getByText("boiler-7").count(), 0);
});

test("the broker is asked nothing while the page is hidden, and at once when it is seen again", LIMIT, async (t) => {
  const { page, row } = await openClients(t, ["boiler-7"]);
  await row("boiler-7").waitFor();
  await page.clock.install();
  const asks = () => page.waitForRequest("**/admin/clients?*");
  // The timer of the next question is one of the clock that the test moves.
  await asks();
  await asks();
  await page.evaluate(show, "hidden");
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));

  await page.clock.fastForward(10_000);
  assert.deepEqual(asked, []);

  await Promise.all([asks(), page.evaluate(show, "visible")]);
});

/** In the page: as when another tab comes in front of it, or leaves. */
function show(state) {
  Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

test("the way back leads to the view before", LIMIT, async (t) => {
  const { page, row } = await openClients(t, ["boiler-7"]);
  await row("boiler-7").waitFor();
  await page.getByRole("button", { name: "Topics" }).click();
  await page.getByRole("treegrid").waitFor();

  await page.goBack();

  await row("boiler-7").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious in clients, ${colorScheme}`, LIMIT, async (t) => {
    const { devices, page } = await openClients(t, ["boiler-7"], { colorScheme });
    await devices[0].subscribe("site/#", { max_rate: 2 });
    await page.getByRole("link", { name: "boiler-7" }).click();
    await page.getByText("at most 2/s").waitFor();
    assert.deepEqual(await seriousFindings(page), []);

    await page.getByRole("button", { name: "Disconnect…" }).click();

    assert.deepEqual(await seriousFindings(page), []);
  });
}

test("a window of 360 pixels has the clients without scrolling sideways", LIMIT, async (t) => {
  const long = "a-client-with-a-name-that-is-much-longer-than-any-phone-is-wide";
  const { page } = await openClients(t, [long], { viewport: { width: 360, height: 640 } });
  const width = () => page.evaluate(() => document.documentElement.scrollWidth);

  await page.getByRole("link", { name: long }).waitFor();
  assert.equal(await width(), 360);
  await page.getByRole("link", { name: long }).click();
  await page.getByRole("button", { name: "Disconnect…" }).click();

  assert.equal(await width(), 360);
});
