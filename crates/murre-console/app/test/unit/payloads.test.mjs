// A payload for people, and its numbers over time.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, message } from "../support.mjs";

let payload;
let Series;
let SERIES_POINTS_MAX;
before(async () => {
  payload = await load("model/payload.ts");
  ({ Series, SERIES_POINTS_MAX } = await load("model/series.ts"));
});

const seriesOf = (...values) => {
  const series = new Series();
  values.forEach((value, index) => {
    series.add(message("a", value, index * 1000));
  });
  return series;
};

test("bytes are shown in hexadecimal with their characters", () => {
  const bytes = new TextEncoder().encode("murre\n0123456789abc");

  assert.deepEqual(payload.hexDump(bytes).split("\n"), [
    "000000  6d 75 72 72 65 0a 30 31 32 33 34 35 36 37 38 39  murre.0123456789",
    "000010  61 62 63                                         abc",
  ]);
});

test("a payload that isn't what its format says is shown as its bytes", () => {
  const broken = message("a", 0);
  Object.defineProperty(broken, "value", {
    get() {
      throw new Error("no JSON");
    },
  });

  assert.equal(payload.onOneLine(broken), "1 bytes");
  assert.match(payload.inFull(broken), /^000000 {2}30 /);
});

test("every number of a payload has a line under its path, which goes on where it was left out", () => {
  const series = seriesOf({ t: 1, in: { h: 2 } }, { t: 3 }, { t: 5, in: { h: 6 }, open: true });

  assert.deepEqual(series.times, [0, 1, 2]);
  assert.deepEqual(Object.fromEntries(series.fields), {
    t: [1, 3, 5],
    "in.h": [2, undefined, 6],
    open: [undefined, undefined, 1],
  });
});

test("what comes again after a reconnect is in the plot once", () => {
  const series = seriesOf(1, 2, 3);

  series.add(message("a", 3, 2000), true);
  series.add(message("a", 4, 3000), true);

  assert.deepEqual(series.fields.get(""), [1, 2, 3, 4]);
});

test("a plot keeps a bounded number of points, the newest", () => {
  const series = seriesOf(...Array.from({ length: SERIES_POINTS_MAX * 3 }, (_, n) => n));

  assert.ok(series.times.length <= SERIES_POINTS_MAX);
  assert.equal(series.fields.get("").at(-1), SERIES_POINTS_MAX * 3 - 1);
  assert.equal(series.fields.get("").length, series.times.length);
});
