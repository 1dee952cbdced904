// Messages that come all at once, and the page that goes on meanwhile.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, message } from "../support.mjs";

let Intake;
before(async () => {
  ({ Intake } = await load("model/intake.ts"));
});

/** An intake under a clock of its own: to take a message costs a tenth of a millisecond. */
function intake() {
  const state = { now: 0, taken: [], slices: [] };
  const take = ({ message: { topic, value }, count }) => {
    state.now += 0.1;
    state.taken.push([topic, value, count]);
  };
  const later = (slice) => state.slices.push(slice);
  state.of = new Intake(take, () => state.now, later);
  /** Runs the next slice; how many milliseconds it took. */
  state.slice = () => {
    const begun = state.now;
    state.slices.shift()?.();
    return state.now - begun;
  };
  return state;
}

test("a message is taken at once", () => {
  const page = intake();

  page.of.add(message("site/a", 1), false);

  assert.deepEqual(page.taken, [["site/a", 1, 1]]);
});

test("100,000 topics that change at once are taken in slices, each in its turn", () => {
  const page = intake();

  for (let n = 0; n < 100_000; n++) page.of.add(message(`site/${n}`, n), false);
  const first = page.now;
  const slices = [];
  while (page.slices.length > 0) slices.push(page.slice());

  assert.ok(Math.max(first, ...slices) < 16, "a frame");
  assert.equal(page.taken.length, 100_000);
  assert.ok(page.taken.every(([, value], index) => value === index));
});

test("of a topic that comes again while it waits the newest is taken, and all are counted", () => {
  const page = intake();
  for (let n = 0; n < 1000; n++) page.of.add(message(`site/${n}`, n), false);

  for (const value of [1, 2, 3]) page.of.add(message("site/999", value), false);
  while (page.slices.length > 0) page.slice();

  assert.deepEqual(page.taken.at(-1), ["site/999", 3, 4]);
  assert.equal(page.taken.length, 1000);
});
