// The page's own modules, as far as they need no document.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as figures from "../../crates/murre-console/page/figures.js";
import { Topics, compareNames } from "../../crates/murre-console/page/topics.js";

const message = (topic, payload, options) =>
  ({ type: "message", sub: 1, topic, format: 2, payload, time: Date.now(), position: 256, options });

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

test("kept values are no part of the rate", () => {
  const topics = new Topics();
  topics.take(message("site/a", 1, { retain: true }), 0);
  topics.take(message("site/a", 2), 4000);

  assert.equal(topics.get("site/a").rate(5000), null);
  topics.take(message("site/a", 3), 14_000);
  assert.equal(topics.get("site/a").rate(14_000), 0.1);
});

test("a sparkline keeps a bounded number of points, the newest last", () => {
  const topics = new Topics();
  for (let n = 0; n < 1000; n++) topics.take(message("site/a", n), n * 1000);

  const { points } = topics.get("site/a");
  assert.ok(points.length <= 100);
  assert.equal(points.at(-1), 999);
});

test("topics are sorted level by level, numbers by size", () => {
  const names = ["a/b", "a", "a-b/c", "station/10", "station/2"];

  assert.deepEqual(names.sort(compareNames), ["a", "a/b", "a-b/c", "station/2", "station/10"]);
});
