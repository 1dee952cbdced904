// What a plot asks for, what it has, and where its line breaks.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, message } from "../support.mjs";

let density;
let Series;
let asCsv;
before(async () => {
  density = await load("model/density.ts");
  ({ Series } = await load("model/series.ts"));
  ({ asCsv } = await load("model/csv.ts"));
});

/** A series of readings at these times, in seconds; each is its own number. */
function seriesAt(times, series = new Series()) {
  for (const seconds of times) series.add(message("site/a", seconds, seconds * 1000));
  return series;
}

/** Times from `first`, `count` of them, `step` apart. */
const steady = (first, count, step = 1) => Array.from({ length: count }, (_, n) => first + n * step);

/** A message of a window that begins and ends at these seconds. */
const windowOf = (start, end, figures) =>
  message("site/a", { start: start * 1000, end: end * 1000, celsius: figures }, end * 1000);

/** A subscription that says what it is told to. */
class Told {
  #listeners = new Map();
  on(name, listener) {
    this.#listeners.set(name, listener);
  }
  tell(name, argument) {
    this.#listeners.get(name)?.(argument);
  }
  messages(times) {
    for (const seconds of times) this.tell("message", message("site/a", seconds, seconds * 1000));
  }
}

/** A series that a subscription fills, with readings each second up to 10. */
function filled() {
  const [series, subscription] = [new Series(), new Told()];
  series.fillFrom(subscription);
  subscription.messages(steady(1, 10));
  return { series, subscription };
}

const line = (series) => series.fields.get("");
const gaps = (series) => line(series).filter((value) => value === null).length;

test("a plot asks for as much as its pixels can show, so that no peak is lost", () => {
  assert.deepEqual(density.densityOf(400, 3600), { windowSeconds: 10 });
  assert.deepEqual(density.densityOf(800, 3600), { windowSeconds: 5 });
  assert.deepEqual(density.densityOf(790, 3600), density.densityOf(800, 3600), "about as wide is as wide");

  const { window } = density.viewFor({ windowSeconds: 10 }, ["celsius"]);
  assert.deepEqual([window.of, window.give], [["celsius"], ["min", "mean", "max"]]);
});

test("a window is drawn at its middle, with its least and its most", () => {
  const series = new Series(10, ["celsius"]);

  series.add(windowOf(0, 10, { min: 1, mean: 2, max: 9 }));
  series.add(windowOf(10, 20, { min: 2, mean: 3, max: 4 }));

  assert.deepEqual(series.times, [5, 15]);
  assert.deepEqual(series.fields.get("celsius"), [2, 3]);
  assert.deepEqual(series.range, { low: [1, 2], high: [9, 4] });
});

test("a window that comes again after a reconnect changes nothing", () => {
  const series = new Series(10, ["celsius"]);
  series.add(windowOf(0, 10, { min: 1, mean: 2, max: 9 }));

  series.add(windowOf(0, 10, { min: 1, mean: 1, max: 1 }));

  assert.deepEqual(series.fields.get("celsius"), [2]);
});

test("what has no number passes a window, and is drawn as it is", () => {
  const series = new Series(1, ["on"]);

  series.add(message("site/a", { on: true }, 1000));
  series.add(message("site/a", { on: false }, 3000));

  assert.deepEqual(series.fields.get("on"), [1, 0]);
  assert.deepEqual(series.range.high, [1, 0]);
});

test("the line breaks where the broker says that something is missing", () => {
  for (const [event, argument] of [
    ["resumed", { recovered: false, lost: "kept" }],
    ["dropped", 3],
  ]) {
    const { series, subscription } = filled();

    subscription.tell(event, argument);
    subscription.messages([11, 12]);

    assert.deepEqual(line(series).slice(-4), [10, null, 11, 12], event);
    assert.equal(series.times.at(-3), 10.5);
  }
});

test("the line goes on where a subscription resumed without a loss", () => {
  const { series, subscription } = filled();

  subscription.tell("resumed", { recovered: true });
  subscription.messages([11, 12]);

  assert.equal(gaps(series), 0);
});

test("after a crash of the broker the line breaks only where readings stayed away", () => {
  for (const [next, expected] of [
    [11, 0],
    [15, 1],
  ]) {
    const { series, subscription } = filled();

    subscription.tell("resumed", { recovered: false, lost: "crash" });
    subscription.messages([next]);

    assert.equal(gaps(series), expected);
  }
});

test("the line breaks where a reading stayed away", () => {
  assert.equal(gaps(seriesAt([...steady(0, 20), ...steady(40, 20)])), 1);
});

test("a topic that comes seldom, or by chance, has no gaps", () => {
  // Distances by chance: exponential, with the mean 1 s, from a fixed sequence.
  let seed = 1;
  const chance = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return -Math.log(seed / 2_147_483_647);
  };
  let at = 0;
  const byChance = Array.from({ length: 500 }, () => {
    at += 10 * chance();
    return at;
  });

  assert.equal(gaps(seriesAt(steady(0, 100, 3600))), 0, "each hour");
  assert.equal(gaps(seriesAt([0, 600, 660, 9000])), 0, "too few to tell");
  assert.equal(gaps(seriesAt(byChance)), 0, "by chance");
});

test("a field that only some payloads have is drawn through the others", () => {
  const series = new Series();
  series.add(message("site/a", { a: 1, b: 1 }, 1000));
  series.add(message("site/a", { a: 2 }, 2000));

  assert.deepEqual(series.fields.get("b"), [1, undefined]);
});

test("after the broker was started again the line goes on where it has what was before", () => {
  const { series, subscription } = filled();

  subscription.tell("restarted");
  subscription.messages(steady(8, 8));
  subscription.tell("caughtUp");
  subscription.messages([16]);

  assert.deepEqual(line(series), steady(1, 16));
});

test("after the broker was started again the line breaks where it has forgotten what was before", () => {
  const { series, subscription } = filled();

  subscription.tell("restarted");
  subscription.messages(steady(14, 3));

  assert.deepEqual(line(series).slice(-5), [9, 10, null, 14, 15, 16].slice(-5));
});

test("readings that a device kept stand where they were taken, also where its clock is wrong", () => {
  const series = new Series();
  const late = (taken, came) =>
    series.add(message("site/a", taken, came * 1000, { sourceTime: (taken - 3600) * 1000 }));

  for (const seconds of steady(1, 10)) late(seconds, seconds);
  for (const seconds of steady(11, 20)) late(seconds, 31);

  assert.deepEqual(series.times, steady(1, 30));
  assert.equal(gaps(series), 0);
  assert.equal(series.perSecond, 1, "what came at once was not taken at once");
});

test("what a plot has is a table for other programs, with its gaps", () => {
  const series = new Series();
  series.add(message("site/a", { a: 1, 'b"': 2 }, 1000));
  series.breakHere();
  series.add(message("site/a", { a: 3 }, 2000));

  assert.equal(
    asCsv(series),
    'time,a,"b"""\r\n1970-01-01T00:00:01.000Z,1,2\r\n1970-01-01T00:00:01.500Z,,\r\n1970-01-01T00:00:02.000Z,3,\r\n',
  );
});
