// What is known of topics, and the rows that they make.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, message } from "../support.mjs";

let Topics;
let Rows;
let Topic;
before(async () => {
  ({ Topics } = await load("model/topics.ts"));
  ({ Rows } = await load("model/rows.ts"));
  ({ Topic } = await load("model/topic.ts"));
});

function topicsNamed(...names) {
  const topics = new Topics();
  for (const name of names) topics.take(message(name, 1), 0, true);
  return topics;
}

const labels = (rows) => rows.map(({ depth, label }) => `${" ".repeat(depth - 1)}${label}`);

test("topics stand level by level, numbers by size", () => {
  const topics = topicsNamed("station/10/t", "station/2/t", "a", "a/b", "station/2/p");

  const rows = new Rows(topics).of("");

  assert.deepEqual(labels(rows), ["a", " b", "station", " 2", "  p", "  t", " 10", "  t"]);
});

test("levels that lead to one level only share a row", () => {
  const rows = new Rows(topicsNamed("site/north/hall/t", "site/north/hall/p")).of("");

  assert.deepEqual(labels(rows), ["site/north/hall", " p", " t"]);
});

test("topics that come later find their place among those that are there", () => {
  const topics = topicsNamed("s/3", "s/1");
  const rows = new Rows(topics);
  rows.of("");

  for (const name of ["s/2", "s/10", "s/0"]) topics.take(message(name, 1), 0, true);

  assert.deepEqual(labels(rows.of("")), ["s", " 0", " 1", " 2", " 3", " 10"]);
});

test("a level that is closed hides what is below it, and only that", () => {
  const rows = new Rows(topicsNamed("a/1", "a/2", "b/1", "b/2"));
  const [first] = rows.of("");

  rows.open(first.level, false);

  assert.deepEqual(labels(rows.of("")), ["a", "b", " 1", " 2"]);
});

test("of many topics only the first levels have rows until somebody opens one", () => {
  const names = Array.from({ length: 5000 }, (_, n) => `plant/${n % 50}/sensor/${n}`);
  const rows = new Rows(topicsNamed(...names));

  const [plant] = rows.of("");
  assert.equal(rows.of("").length, 1);
  rows.open(plant.level, true);

  assert.equal(rows.of("").length, 51);
});

test("a search finds topics by any part of their names, in any case", () => {
  const rows = new Rows(topicsNamed("Site/a/Temp", "site/b/hum", "other/temp")).of("TEMP");

  assert.deepEqual(
    rows.map(({ topic }) => topic.name),
    ["other/temp", "Site/a/Temp"],
  );
});

test("what was published before is no part of a rate", () => {
  const topics = new Topics();
  topics.take(message("site/a", 1), 0, true);
  topics.take(message("site/a", 2), 4000, false);
  assert.equal(topics.get("site/a").rate(5000), null);

  topics.take(message("site/a", 3), 14_000, false);

  assert.equal(topics.get("site/a").rate(14_000), 0.1);
});

test("a sparkline keeps a bounded number of points, the newest last", () => {
  const topic = new Topic("site/a");
  for (let n = 0; n < 1000; n++) topic.take(message("site/a", n, n * 1000), n, false);

  assert.ok(topic.points.length <= 100);
  assert.equal(topic.points.at(-1), 999);
});

test("the past goes in front of what came meanwhile, without what is there already", () => {
  const past = [1, 2, 3].map((n) => message("site/a", n, n * 10_000));
  const topic = new Topic("site/a");
  topic.take({ ...past[2], retained: true }, 0, true);
  topic.take(message("site/a", 4, 40_000), 0, false);

  topic.prepend(past);

  assert.deepEqual(topic.points, [1, 2, 3, 4]);
  assert.deepEqual(
    topic.recent.map(({ value }) => value),
    [4, 3, 2, 1],
  );
});

test("a value that comes again after a reconnect is not counted twice", () => {
  const topic = new Topic("site/a");
  const last = message("site/a", 1, 1000);
  topic.take(last, 0, false);

  topic.take({ ...last, retained: true }, 5000, true);

  assert.equal(topic.recent.length, 1);
});

test("a topic is stale when it is silent for much longer than it was before", () => {
  const [steady, seldom] = [new Topic("site/a"), new Topic("site/b")];
  for (let n = 0; n < 10; n++) steady.take(message("site/a", n, n * 1000), n * 1000, false);
  for (let n = 0; n < 10; n++) seldom.take(message("site/b", n, n * 60_000), n * 1000, false);

  assert.ok(!steady.isStale(13_000));
  assert.ok(steady.isStale(15_000));
  assert.ok(!seldom.isStale(15_000));
});
