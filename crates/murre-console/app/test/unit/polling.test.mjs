// When the page asks the broker, and when it stops.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { load } from "../support.mjs";

let Poll;
let POLL_MS;
let Admin;
before(async () => {
  ({ Poll, POLL_MS } = await load("model/poll.ts"));
  ({ Admin } = await load("model/admin.ts"));
});

/** Lets what is settled be heard of. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A poll whose time is the test's, answered by what `answer` gives. */
function polling(t, answer) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = [];
  const heard = [];
  const poll = new Poll(
    async (signal) => {
      asked.push(signal);
      return answer(asked.length);
    },
    (polled) => heard.push(polled),
  );
  const pass = async (ms) => {
    t.mock.timers.tick(ms);
    await settled();
  };
  return { poll, asked, heard, pass };
}

/** The broker as `fetch` finds it: answers each request with `status`; gives the requests. */
function brokerAnswering(t, status, body = {}) {
  const answer = () => Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
  return t.mock.method(globalThis, "fetch", answer).mock;
}

test("the next question comes a while after the answer", async (t) => {
  const { poll, asked, heard, pass } = polling(t, (count) => count);

  poll.start();
  await settled();
  await pass(POLL_MS - 1);
  assert.equal(asked.length, 1);
  await pass(1);

  assert.deepEqual(
    heard.map(({ answer }) => answer),
    [1, 2],
  );
});

test("nothing is asked while nobody looks, and at once when somebody does again", async (t) => {
  const { poll, asked, pass } = polling(t, (count) => count);
  poll.start();
  await settled();

  poll.stop();
  await pass(POLL_MS * 10);
  assert.equal(asked.length, 1);
  poll.start();

  assert.equal(asked.length, 2);
});

test("an answer that comes when nobody looks any more is not heard of", async (t) => {
  const { poll, asked, heard } = polling(t, (count) => count);

  poll.start();
  poll.stop();
  await settled();

  assert.deepEqual(heard, []);
  assert.ok(asked[0].aborted);
});

test("after a failure it is asked again", async (t) => {
  const { poll, heard, pass } = polling(t, (count) => {
    if (count === 2) throw new Error("the network is down");
    return count;
  });

  poll.start();
  await settled();
  await pass(POLL_MS);
  await pass(POLL_MS);

  assert.deepEqual(
    heard.map(({ answer, problem }) => [answer, problem?.message]),
    [
      [1, undefined],
      [undefined, "the network is down"],
      [3, undefined],
    ],
  );
});

test("a page that is refused asks no more until somebody tries again", async (t) => {
  const admin = new Admin();
  const refusing = brokerAnswering(t, 403, { detail: "not from here" });
  const { poll, heard, pass } = polling(t, () => admin.topic("a", new AbortController().signal));

  poll.start();
  await settled();
  await pass(POLL_MS * 10);
  await assert.rejects(admin.client("x", new AbortController().signal), /not from here/);
  assert.equal(refusing.callCount(), 1);
  assert.ok(heard[0].problem.isRefused);

  admin.again();
  await assert.rejects(admin.client("x", new AbortController().signal));
  assert.equal(refusing.callCount(), 2);
});

test("names are written into addresses so that they stay whole", async (t) => {
  const broker = brokerAnswering(t, 200, { clients: [] });
  const { signal } = new AbortController();
  const admin = new Admin();

  await admin.topic("site/a b/50%", signal);
  await admin.client("ada?#1", signal);
  await admin.clients("a&b", "n=1", signal);

  assert.deepEqual(
    broker.calls.map(({ arguments: [path] }) => path),
    [
      "/admin/topics/site/a%20b/50%25",
      "/admin/clients/ada%3F%231",
      "/admin/clients?limit=100&search=a%26b&after=n%3D1",
    ],
  );
});

test("a client is told the reason of its end, or none", async (t) => {
  const broker = brokerAnswering(t, 204);
  const admin = new Admin();

  await admin.disconnect("a", "maintenance");
  await admin.disconnect("a", "");

  assert.deepEqual(
    broker.calls.map(({ arguments: [, { method, body }] }) => [method, body]),
    [
      ["POST", '{"reason":"maintenance"}'],
      ["POST", "{}"],
    ],
  );
});
