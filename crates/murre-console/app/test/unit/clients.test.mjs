// What is made of the admin API's answers.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load } from "../support.mjs";

let model;
let units;
before(async () => {
  model = await load("model/clients.ts");
  units = await load("model/units.ts");
});

/** A client that has published and received so many messages since it connected. */
function client(client_id, messages, { connected = 1, bytes = 0 } = {}) {
  const traffic = { messages, bytes: messages * 10 };
  return { client_id, connected, received: traffic, delivered: traffic, outbox: { bytes, bytes_max: 1000 } };
}

test("a client's rate comes from two answers", () => {
  const rates = new model.ClientRates();
  rates.take([client("a", 10), client("b", 0)], 1000);
  assert.deepEqual(rates.of("a"), { received: null, delivered: null });

  rates.take([client("a", 40), client("b", 0)], 3000);

  assert.deepEqual(rates.of("a"), { received: 15, delivered: 15 });
  assert.deepEqual(rates.of("b"), { received: 0, delivered: 0 });
});

test("a client that has connected again has no rate from the connection before", () => {
  const rates = new model.ClientRates();
  rates.take([client("a", 900)], 1000);

  rates.take([client("a", 5, { connected: 2 })], 3000);

  assert.equal(rates.of("a").received, null);
});

test("a client that isn't on the page is forgotten", () => {
  const rates = new model.ClientRates();
  rates.take([client("a", 0)], 1000);
  rates.take([], 3000);

  rates.take([client("a", 10)], 5000);

  assert.equal(rates.of("a").received, null);
});

test("a client's lines begin with what is known at once, and stay bounded", () => {
  const lines = new model.ClientLines();

  for (let second = 0; second < 1000; second++) lines.take(client("a", second * 2, { bytes: second }), second * 1000);

  assert.equal(lines.times.length, 300);
  assert.deepEqual([lines.received.at(-1), lines.outbox.at(-1)], [2, 999]);
});

test("the options of a view are said in the order that they take effect in", () => {
  const view = {
    max_rate: 5,
    patch: true,
    where: "payload.celsius > 30.0",
    select: ["celsius", "position.lat"],
    deadband: { path: "celsius", abs: 0.5, silence_max: 60 },
    window: { seconds: 60, step: 10, of: ["celsius"], give: ["min", "max"] },
    on_error: "pass",
  };

  assert.deepEqual(model.viewInWords(view), [
    "where payload.celsius > 30.0",
    "only celsius, position.lat",
    "when celsius moves by 0.5 or after 60 s",
    "min, max of celsius over 60 s every 10 s",
    "at most 5/s",
    "changes only",
    "what can't be read passes",
  ]);
});

test("an option that this page doesn't know is shown as it is", () => {
  assert.deepEqual(model.viewInWords({ sample: 3 }), ["sample 3"]);
});

test("a keep rule is said with its bounds", () => {
  const rule = { filter: "#", last: 1000, age_ms: 604_800_000, bytes: 1_048_576, durable: true };

  assert.equal(model.ruleInWords(rule), "the last 1,000 messages, at most 7 d old, at most 1.0 MiB, on disk");
  assert.equal(model.ruleInWords({ filter: "#", durable: false }), "all messages, in memory");
});

test("amounts have a unit that leaves them short", () => {
  const { formatBytes, formatCount, formatDuration, formatPerSecond, formatShare } = units;

  assert.deepEqual([0, 1023, 1536, 25_165_824].map(formatBytes), ["0 B", "1,023 B", "1.5 KiB", "24 MiB"]);
  assert.deepEqual([0, 0.44, 12, 1240.4].map(formatCount), ["0", "0.4", "12", "1,240"]);
  assert.deepEqual([null, 0, 12.5].map(formatPerSecond), ["–", "0/s", "12.5/s"]);
  assert.deepEqual([0, 0.042, 0.38, 1.6].map(formatShare), ["0 %", "4.2 %", "38 %", "160 %"]);
  assert.deepEqual([40_000, 310_000, 12_000_000, 1_051_200_000, 3_600_000].map(formatDuration), [
    "40 s",
    "5 min 10 s",
    "3 h 20 min",
    "12 d 4 h",
    "1 h",
  ]);
});
