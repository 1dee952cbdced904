// The broker's own figures over time.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, message } from "../support.mjs";

let Stats;
before(async () => {
  ({ Stats } = await load("model/stats.ts"));
});

const SECOND = 1000;

/** What the broker says, with counters of so much. */
function report({ started = 1, count = 0, store = null, ...more } = {}) {
  const traffic = { messages: count, bytes: count * 100 };
  const process = { cpu_seconds: count / 100, resident_bytes: 5_000_000 };
  return {
    started,
    clients: 3,
    topics: 7,
    received: traffic,
    delivered: traffic,
    dropped: 0,
    conflated: 0,
    process,
    store,
    ...more,
  };
}

/** Figures from reports, each with the second that it comes in. */
function statsOf(...reports) {
  const stats = new Stats();
  for (const [second, value] of reports) stats.add(second * SECOND, value);
  return stats;
}

/** A client with one subscription, and how the broker says something to it. */
function clientOf() {
  const listeners = {};
  const on = (event, listener) => {
    listeners[event] = listener;
  };
  return { client: { subscribe: () => ({ on }) }, say: (message) => listeners.message(message) };
}

test("a rate is what a counter went up by in the time between two reports", () => {
  const stats = statsOf([10, report({ count: 100 })], [12, report({ count: 150 })]);

  assert.deepEqual(stats.lines.received, [null, 25]);
  assert.equal(stats.current("receivedBytes"), 2500);
  assert.equal(stats.current("processors"), 0.25);
});

test("what isn't a counter is as the broker says", () => {
  const stats = statsOf([10, report()]);

  assert.deepEqual(
    [stats.current("clients"), stats.current("topics"), stats.current("memoryBytes")],
    [3, 7, 5_000_000],
  );
});

test("what the broker remembers comes before what it says from then on", async () => {
  const past = [10, 11].map((second) => ({ time: second * SECOND, stats: report({ count: second }) }));
  const { client, say } = clientOf();
  const stats = new Stats();

  await stats.follow(client, { stats: async () => past });
  say(message("$murre/stats", report({ count: 12 }), 12 * SECOND));

  assert.deepEqual(stats.lines.received, [null, 1, 1]);
});

test("a page that isn't told the past has what comes", async () => {
  const { client, say } = clientOf();
  const stats = new Stats();

  await stats.follow(client, { stats: () => Promise.reject(new Error("not from here")) });
  say(message("$murre/stats", report(), 12 * SECOND));

  assert.equal(stats.current("clients"), 3);
});

test("a broker that starts anew breaks the line, and no rate comes from the run before", () => {
  const stats = statsOf([10, report({ count: 900 })], [11, report({ started: 2, count: 4 })]);

  assert.deepEqual(stats.lines.clients, [3, null, 3]);
  assert.deepEqual(stats.lines.received, [null, null, null]);
  assert.deepEqual(stats.times, [10, 10.5, 11]);
});

test("silence breaks the line, and the rate after it is one over the whole time", () => {
  const stats = statsOf([10, report({ count: 0 })], [20, report({ count: 50 })]);

  assert.deepEqual(stats.lines.received, [null, null, 5]);
});

test("what comes again after a reconnect is taken in once", () => {
  const stats = statsOf([10, report()], [11, report()], [10, report()], [11, report()], [12, report()]);

  assert.deepEqual(stats.times, [10, 11, 12]);
});

test("the time of a commit is their time together by their number, and unknown where there were none", () => {
  const store = (commits, commit_seconds) => report({ store: { bytes: 1, commits, commit_seconds } });
  const stats = statsOf([1, store(10, 1)], [2, store(14, 1.02)], [3, store(14, 1.02)]);

  assert.deepEqual(
    stats.lines.commitMs.map((ms) => (ms === null ? null : Math.round(ms * 100) / 100)),
    [null, 5, null],
  );
  assert.equal(stats.current("storeBytes"), 1);
});

test("a payload that is no report changes nothing", () => {
  const stats = statsOf([1, null], [2, "up"], [3, { started: 1 }], [4, { started: 1, received: null }]);

  assert.equal(stats.latest, undefined);
  assert.deepEqual(stats.times, []);
});

test("however long a page is open, it keeps a bounded number of points, the newest", () => {
  const stats = statsOf(...Array.from({ length: 2000 }, (_, second) => [second + 1, report()]));

  assert.ok(stats.times.length <= 900, `${stats.times.length} points`);
  assert.equal(stats.times.at(-1), 2000);
  assert.equal(stats.lines.topics.length, stats.times.length);
});
