// What is written in the form to try views, and where it goes.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load } from "../support.mjs";

let model;
before(async () => {
  model = await load("model/settings.ts");
});

test("what is set is what is asked for, and nothing else", () => {
  const { from, view, problems } = model.optionsOf({
    filter: "site/#",
    from: "last-n",
    "from.n": "20",
    max_rate: "0,5",
    where: "",
    select: "celsius, position.lat",
    "deadband.path": "celsius",
    "deadband.abs": "0.5",
    "window.seconds": "",
    patch: "on",
  });

  assert.deepEqual(problems, {});
  assert.deepEqual(from, { last: 20 });
  assert.deepEqual(view, {
    maxRate: 0.5,
    select: ["celsius", "position.lat"],
    deadband: { path: "celsius", abs: 0.5 },
    patch: true,
  });
});

test("a window of which only the length is set has the mean of the payload itself", () => {
  const { view } = model.optionsOf({ "window.seconds": "10", "window.of": "", "window.give": "" });

  assert.deepEqual(view, { window: { seconds: 10, of: [""], give: ["mean"] } });
});

test("what is no number is said where it stands", () => {
  const { problems } = model.optionsOf({ max_rate: "often", "window.seconds": "10" });

  assert.deepEqual(problems, { max_rate: "often is no number" });
});

test("settings come out of an address as they went in, beside what else it has", () => {
  const settings = { filter: "site/#", where: "payload.celsius > 30.0 && topic != 'a'", patch: "on" };

  const search = model.toSearch("?view=try&try.expect=5", settings);

  assert.deepEqual(model.fromSearch(search), settings);
  assert.equal(new URLSearchParams(search).get("view"), "try");
});

test("what the broker refuses is told at the option that it names", () => {
  assert.equal(model.settingIn("4422: SUBSCRIBE.options.where: line 1, column 12: no such name"), "where");
  assert.equal(model.settingIn("SUBSCRIBE.options.window.of: needs a path"), "window.of");
  assert.equal(model.settingIn("SUBSCRIBE.options.deadband: one of abs and percent"), "deadband.path");
  assert.equal(model.settingIn("SUBSCRIBE.filter: # has to be the last level"), "filter");
});
