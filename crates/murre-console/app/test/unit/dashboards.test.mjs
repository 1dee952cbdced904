// Dashboards as text and back, and what a pinned field shows.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load, message } from "../support.mjs";

let board;
let shelf;
let series;
let field;
before(async () => {
  board = await load("model/dashboard.ts");
  shelf = await load("model/shelf.ts");
  series = await load("model/series.ts");
  field = await load("model/field.ts");
});

const widget = (path, kind = "plot") => ({ topic: "site/a", path, kind });
const kitchen = () => ({ name: "Küche №1", widgets: [widget("celsius"), widget("in.door", "state")] });

/** What a browser keeps, with nothing in it but `text`. */
function storeWith(text) {
  const kept = new Map(text === undefined ? [] : [["murre.dashboards", text]]);
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
}

test("a dashboard comes out of an address as it went in", () => {
  const address = board.toAddress(kitchen());

  assert.match(address, /^[\w-]+$/);
  assert.deepEqual(board.fromAddress(address), kitchen());
});

test("a widget's title, its width and how far it looks back are kept", () => {
  const hall = { name: "Hall", widgets: [{ ...widget("celsius"), title: "Hall", seconds: 3600, wide: true }] };

  assert.deepEqual(board.fromAddress(board.toAddress(hall)), hall);
});

test("a field is called by its name, with the unit that it ends in", () => {
  const named = (topic, path) => Object.values(field.fieldName(topic, path));

  assert.deepEqual(named("weather/farne/wind", "speed_mps"), ["Speed", "m/s"]);
  assert.deepEqual(named("site/a/temp", "celsius"), ["Temp", "°C"]);
  assert.deepEqual(named("replay/power_watts", ""), ["Power", "W"]);
  assert.deepEqual(named("replay/door", ""), ["Door", ""]);
  assert.deepEqual(named("van/place", "coordinates.1"), ["Place", ""]);
});

test("what is no dashboard is refused with what is wrong", () => {
  const parse = (value) => () => board.parseDashboard(JSON.stringify(value));

  assert.throws(parse([]), /list of widgets/);
  assert.throws(parse({ name: "a", widgets: [widget("x", "pie")] }), /plot, number, gauge, state, track, not "pie"/);
  assert.throws(parse({ name: "a", widgets: [{ ...widget("x"), seconds: 7 }] }), /60, 300, .*, not 7/);
  assert.throws(parse({ name: 1, widgets: [] }), /a name is a text/);
  assert.throws(parse({ name: "a", widgets: Array(1000).fill(widget("x")) }), /at most 48/);
});

test("a browser keeps dashboards, and one that is broken takes no other with it", () => {
  const store = storeWith();
  shelf.save(store, [kitchen(), { name: "Hall", widgets: [] }]);
  const text = store.getItem("murre.dashboards");

  assert.deepEqual(shelf.load(store), [kitchen(), { name: "Hall", widgets: [] }]);
  assert.deepEqual(shelf.load(storeWith(text.replace('"plot"', '"pie"'))), [{ name: "Hall", widgets: [] }]);
  assert.equal(shelf.load(storeWith("no JSON")).length, 1);
});

test("a field is pinned once, and moves to where it is put", () => {
  const pinned = board.withWidget(board.withWidget(kitchen(), widget("celsius", "gauge")), widget("z"));

  assert.deepEqual(
    board.withMoved(pinned, 2, 0).widgets.map(({ path }) => path),
    ["z", "celsius", "in.door"],
  );
});

test("a plot has no more points than it can show, each at the newest value of its time", () => {
  const thin = new series.Series(1);
  for (let n = 0; n < 100; n++) thin.add(message("a", n, n * 100));

  assert.equal(thin.times.length, 10);
  assert.deepEqual(thin.fields.get("").slice(0, 2), [9, 19]);
});

test("a field is found by its path, also where a name has a dot", () => {
  const value = { a: { "b.c": { d: "open" } }, e: [1, 2] };

  assert.deepEqual(
    ["a.b.c.d", "e.1", "a.x", ""].map((path) => series.valueAt(value, path)),
    ["open", 2, undefined, value],
  );
});
