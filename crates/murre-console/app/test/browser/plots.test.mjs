// What plots ask the broker for, and where their lines break, in a real browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { decodeMulti } from "@msgpack/msgpack";
import { Broker } from "./broker.mjs";
import { Chromium } from "./chromium.mjs";

const LIMIT = { timeout: 60_000 };
const SUBSCRIBE = 5;
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** The address of a dashboard with these widgets. */
function addressOf(...widgets) {
  const text = JSON.stringify({ name: "Test", widgets });
  return `/?view=dashboards#${Buffer.from(text).toString("base64url")}`;
}

/** The SUBSCRIBE packets that a page has sent to one topic, as {sub, options}. */
class Asked {
  #all = [];
  #waiting = [];

  constructor(page, topic) {
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => {
        for (const [type, sub, filter, options] of decodeMulti(payload)) {
          if (type === SUBSCRIBE && filter === topic) this.#add({ sub, options });
        }
      });
    });
  }

  #add(packet) {
    this.#all.push(packet);
    for (const look of this.#waiting) look();
  }

  /** The first that is looked for, as soon as it is sent. */
  first(wanted = () => true) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.#all.find(wanted);
        if (found) resolve(found);
      };
      this.#waiting.push(look);
      look();
    });
  }
}

/** A page with a dashboard of one widget, whose topic has these values. */
async function openDashboard(t, widget, values = []) {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  for (const value of values) await broker.publish(widget.topic, value);
  const page = await browser.open(t, broker);
  const asked = new Asked(page, widget.topic);
  await page.goto(broker.url + addressOf(widget));
  await page.reload();
  return { broker, page, asked };
}

test("a plot asks for as much as its width can show, also when that changes", LIMIT, async (t) => {
  const { page, asked } = await openDashboard(
    t,
    { topic: "site/a/temp", path: "celsius", kind: "plot", seconds: 60, wide: true },
    [{ celsius: 20 }, { celsius: 21 }],
  );
  await page.locator(".plot canvas").waitFor();
  const first = await asked.first(({ options }) => options.window);

  await page.setViewportSize({ width: 600, height: 700 });
  const changed = await asked.first(
    ({ options }) => options.window && options.window.seconds !== first.options.window.seconds,
  );

  assert.ok(first.options.from, "it begins with what was before");
  assert.equal(changed.sub, first.sub, "it changes in place");
  assert.equal(changed.options.from, undefined);
});

test("a plot of an hour asks for windows, so that no peak is lost", LIMIT, async (t) => {
  const widget = { topic: "site/a/temp", path: "celsius", kind: "plot", seconds: 3600 };
  const { page, asked } = await openDashboard(
    t,
    widget,
    [20, 90, 20].map((celsius) => ({ celsius })),
  );

  const { options } = await asked.first(({ options }) => options.window);

  assert.deepEqual([options.window.of, options.window.give], [["celsius"], ["min", "mean", "max"]]);
  await page.locator(".widget .big").getByText("20").waitFor();
});
