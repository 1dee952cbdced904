// The page's own modules, as far as they need no document.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as figures from "../../crates/murre-console/page/figures.js";
import { Connection } from "../../crates/murre-console/page/connection.js";
import { Topics, compareNames } from "../../crates/murre-console/page/topics.js";

const message = (topic, payload, time = Date.now()) =>
  ({ type: "message", sub: 1, topic, format: 2, payload, time, position: time });

test("numbers keep their column", () => {
  assert.equal(figures.decimalsOf(21.4), 1);
  assert.equal(figures.formatNumber(21, 2), "21.00");
  assert.equal(figures.formatNumber(6_144_931_445.7402, 4), "6,144,931,446");
  assert.equal(figures.formatNumber(0.000_002, 4), "2.000e-6");
});

test("rates and ages come in the unit that has a digit to show", () => {
  assert.deepEqual([120, 3.21, 0.5, 0.01, 0, null].map(figures.formatRate), ["120/s", "3.2/s", "30/min", "36/h", "", ""]);
  assert.deepEqual([10, 65_000, 600_000, 90_000_000].map(figures.formatAge), ["now", "65 s", "10 min", "25 h"]);
});

test("the numbers of a payload are found with their paths", () => {
  assert.deepEqual(figures.numbersOf(21.4), [["", 21.4]]);
  assert.deepEqual(figures.numbersOf({ a: "x", b: { c: 1 }, d: [2] }), [["b.c", 1], ["d.0", 2]]);
  assert.deepEqual(figures.numbersOf("21.4"), []);
  assert.equal(figures.labelOf("geometry.coordinates.0"), "coordinates.0");
});

test("a steady stream has its rate, and a silent one loses it", () => {
  const rate = new figures.Rate();
  for (let now = 0; now <= 20_000; now += 100) rate.count(now);

  assert.ok(Math.abs(rate.perSecond(20_000) - 10) < 0.5, String(rate.perSecond(20_000)));
  assert.ok(rate.perSecond(80_000) < 0.01);
});

test("what was published before is no part of the rate", () => {
  const topics = new Topics();
  topics.take(message("site/a", 1), 0, true);
  topics.take(message("site/a", 2), 4000);

  assert.equal(topics.get("site/a").rate(5000), null);
  topics.take(message("site/a", 3), 14_000);
  assert.equal(topics.get("site/a").rate(14_000), 0.1);
});

test("a sparkline keeps a bounded number of points, the newest last", () => {
  const topics = new Topics();
  for (let n = 0; n < 1000; n++) topics.take(message("site/a", n, n * 1000), n);

  const { points } = topics.get("site/a");
  assert.ok(points.length <= 100);
  assert.equal(points.at(-1), 999);
});

test("the past fills the sparkline by its own times, however fast it comes", () => {
  const topics = new Topics();
  topics.take(message("site/a", 3, 30_000), 0, true);
  topics.beginAnew();
  for (const n of [1, 2, 3]) topics.take(message("site/a", n, n * 10_000), 0, true);

  assert.deepEqual(topics.get("site/a").points, [1, 2, 3]);
  assert.deepEqual(topics.get("site/a").recent.map(({ payload }) => payload), [3, 2, 1]);
});

test("without a history at the broker a topic keeps what the page has seen", () => {
  const topics = new Topics();
  for (const n of [1, 2, 3]) topics.take(message("site/a", n, n * 10_000), n);
  topics.beginAnew();
  topics.take({ ...message("site/a", 3, 30_000), options: { retain: true } }, 4, true);
  topics.take(message("site/a", 4, 40_000), 5);

  assert.deepEqual(topics.get("site/a").points, [1, 2, 3, 4]);
  assert.deepEqual(topics.get("site/a").recent.map(({ payload }) => payload), [4, 3, 2, 1]);
});

/** What the page says to a broker that grants everything, whose last values are so many. */
function subscribing(t, count) {
  const said = [];
  const heard = [];
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  globalThis.location = { protocol: "http:", host: "broker" };
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    constructor() {
      globalThis.socket = this;
    }
    send(text) {
      said.push(JSON.parse(text));
    }
  };
  const on = Object.fromEntries(["state", "connected", "subscribed", "message", "caughtUp", "beginsAnew"]
    .map((name) => [name, (...args) => heard.push([name, ...args])]));
  new Connection(on).connect();
  const hears = (...packets) => globalThis.socket.onmessage({ data: packets.map((p) => JSON.stringify(p)).join("\n") });
  globalThis.socket.onopen();
  hears({ type: "connected", info: {} }, { type: "subscribed", sub: 1, code: 0 },
    { type: "caught_up", sub: 1, info: { positions: [], count } });
  return { said, heard, hears };
}

test("the page asks for the past once it knows the topics, and tells it from what is live", (t) => {
  const { said, heard, hears } = subscribing(t, 2);

  assert.deepEqual(said.slice(1).map(({ sub, options }) => [sub, options.from]), [[1, "last"], [1, { last: 80 }]]);
  hears({ type: "subscribed", sub: 1, code: 0 }, message("a", 1),
    { type: "caught_up", sub: 1, info: { positions: [], count: 1 } }, message("a", 2));
  assert.equal(heard.filter(([name]) => name === "beginsAnew").length, 1);
  assert.deepEqual(heard.filter(([name]) => name === "message").map(([, { payload }, isPast]) => [payload, isPast]),
    [[1, true], [2, false]]);
});

test("the page asks for no past of more topics than it can show", (t) => {
  assert.equal(subscribing(t, 100_000).said.length, 2);
});

test("topics are sorted level by level, numbers by size", () => {
  const names = ["a/b", "a", "a-b/c", "station/10", "station/2"];

  assert.deepEqual(names.sort(compareNames), ["a", "a/b", "a-b/c", "station/2", "station/10"]);
});
