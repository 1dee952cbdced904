// What the SDK does against a real broker: the same in Node and in a browser.

import { sessionScenarios } from "./session_scenarios.js";
import { viewScenarios } from "./view_scenarios.js";
import { range, reaches, rejection, same, take, values, type World } from "./world.js";

export type Scenario = (world: World) => Promise<void>;

export const scenarios: Record<string, Scenario> = {
  ...sessionScenarios,
  ...viewScenarios,

  "readings arrive whole and in order": async (world) => {
    const readings = world.client().subscribe("site/+/temp", { from: "live" });
    await readings.ready;
    const device = world.client();

    for (const n of range(5_000)) device.publish("site/a/temp", { celsius: 21.4, n }, { ack: n % 2 === 0 });

    same(
      values(await take(readings, 5_000)),
      range(5_000).map((n) => ({ celsius: 21.4, n })),
    );
  },

  "every format arrives as it was published": async (world) => {
    const client = world.client();
    const readings = client.subscribe("any/#", { from: "live" });
    await readings.ready;

    await client.publish("any/json", { a: [1, null] });
    await client.publish("any/msgpack", { b: 7.5 }, { format: "msgpack" });
    await client.publish("any/text", "läuft");
    await client.publish("any/bytes", Uint8Array.of(0, 255));

    const got = (await take(readings, 4)).map(({ format, value }) => [
      format,
      value instanceof Uint8Array ? [...value] : value,
    ]);
    same(got, [
      ["json", { a: [1, null] }],
      ["msgpack", { b: 7.5 }],
      ["text", "läuft"],
      ["bytes", [0, 255]],
    ]);
  },

  "the last value is there at once, and marked as kept": async (world) => {
    const client = world.client();
    await client.publish("site/a/temp", 20.9);
    await client.publish("site/a/temp", 21.4, { time: 1_700_000_000_000, properties: { unit: "C" } });

    const readings = client.subscribe<number>("site/#");
    same(await readings.caughtUp(), true);

    const [last] = await take(readings, 1);
    same([last?.value, last?.retained, last?.sourceTime, last?.properties.unit], [21.4, true, 1_700_000_000_000, "C"]);
  },

  "history runs on into live": async (world) => {
    const client = world.client();
    for (const n of range(5)) await client.publish("kept/a", n);
    const readings = client.subscribe("kept/#", { from: { last: 3 } });
    await readings.caughtUp();

    await client.publish("kept/a", 5);

    same(values(await take(readings, 4)), [2, 3, 4, 5]);
  },

  "a refusal says the code, and the client goes on": async (world) => {
    const client = world.client();

    const publish = await rejection(client.publish("$murre/x", 1));
    const subscribe = await rejection(client.subscribe("site/#/a").ready);

    same([publish.name, publish.code], ["PublishError", 4403]);
    same([subscribe.name, subscribe.code], ["SubscribeError", 4422]);
    await client.publish("site/a", 1);
  },

  "a request gets its answer, and an error of the responder": async (world) => {
    const responder = world.client().respond<number>("rpc/half", ({ value }) => {
      if (value % 2) throw new Error(`${value} is odd`);
      return value / 2;
    });
    await responder.ready;
    const client = world.client();

    const answers = await Promise.all([4, 8, 12].map((n) => client.request<number>("rpc/half", n)));

    same(values(answers), [2, 4, 6]);
    same((await rejection(client.request("rpc/half", 5))).kind, "failed");
    same((await rejection(client.request("rpc/nobody", 5, { timeout: 50 }))).kind, "timeout");
  },

  "who is online is told, and a will is sent for who was lost": async (world) => {
    const will = { topic: "site/device/state", value: "gone" };
    // Waits begin anywhere between 0 and the backoff: so long that it doesn't come back before the broker has missed it.
    const backoff = { min: 1e9, max: 1e9 };
    const device = world.client({ clientId: "device", will, keepAlive: 1, backoff });
    await device.whenConnected();
    const states: string[] = [];

    // Neither side hears the other any more, and neither is told.
    await world.network.stall();

    const watcher = world.client();
    for await (const { state } of watcher.presence("device")) {
      states.push(state);
      if (state === "offline") break;
    }
    same(states.at(-1), "offline");
    same(values(await take(watcher.subscribe("site/device/state"), 1)), ["gone"]);
  },

  "what is published while the broker is away arrives when it is back": async (world) => {
    const device = world.client();
    await device.whenConnected();
    await world.network.kill();
    await reaches(device, "waiting");
    const published = range(100).map((n) => device.publish("kept/a", n));

    await world.network.start();
    await Promise.all(published);

    const readings = world.client().subscribe("kept/a", { from: { last: 1000 } });
    same(values(await take(readings, 100)), range(100));
  },

  "a subscription that resumes misses nothing when the broker is restarted": async (world) => {
    const dashboard = world.client();
    const readings = dashboard.subscribe("kept/#", { resume: true });
    // A device that was connected first would publish before it, and of that the last value alone would be seen.
    await readings.caughtUp();
    const device = world.client();
    for (const n of range(10)) await device.publish("kept/a", n);
    await take(readings, 10);

    await world.network.stop();
    const published = range(10).map((n) => device.publish("kept/a", 10 + n));
    await world.network.start();
    await Promise.all(published);

    same(
      values(await take(readings, 10)),
      range(10).map((n) => 10 + n),
    );
    same(readings.recovery, { recovered: true });
  },

  "a subscription that doesn't resume begins again": async (world) => {
    const dashboard = world.client();
    const readings = dashboard.subscribe("site/#");
    await readings.caughtUp();
    await dashboard.publish("site/a", 1);
    await take(readings, 1);

    await world.network.cut();

    const [again] = await take(readings, 1);
    same([again?.value, again?.retained, readings.recovery], [1, true, undefined]);
  },

  "a connection that went silent is noticed and made again": async (world) => {
    const client = world.client({ keepAlive: 1 });
    await client.whenConnected();

    await world.network.stall();
    await reaches(client, "waiting");
    await reaches(client, "connected");

    await client.publish("site/a", 1);
  },

  "a second client of the same name takes over, and the first doesn't come back": async (world) => {
    const first = world.client({ clientId: "one" });
    await first.whenConnected();
    const second = world.client({ clientId: "one" });
    await second.whenConnected();

    await first.closed;

    same(first.state.name === "closed" && first.state.code, 4409);
    await second.publish("site/a", 1);
  },

  "acknowledged messages go on past what the broker sends ahead": async (world) => {
    const client = world.client();
    const jobs = client.subscribe("jobs", { from: "live", ack: true });
    await jobs.ready;
    const device = world.client();

    const published = range(3_000).map((n) => device.publish("jobs", n));

    same(values(await take(jobs, 3_000)), range(3_000));
    await Promise.all(published);
  },

  "a slow reader loses its oldest messages, and is told how many": async (world) => {
    const client = world.client();
    const slow = client.subscribe("site/a", { from: "live", queue: 10 });
    await slow.ready;

    const oldestGone = new Promise<void>((resolve) => {
      slow.on("dropped", () => slow.dropped === 90 && resolve());
    });

    for (const n of range(100)) client.publish("site/a", n);
    await oldestGone;

    same(
      values(await take(slow, 10)),
      range(10).map((n) => 90 + n),
    );
  },

  "readers of a group share the messages": async (world) => {
    const groups = [world.client(), world.client()].map((client) => client.subscribe("$share/workers/jobs/#"));
    await Promise.all(groups.map(({ ready }) => ready));
    const device = world.client();
    const got: unknown[] = [];
    const all = new Promise<void>((resolve) => {
      for (const group of groups) group.on("message", ({ value }) => got.push(value) === 100 && resolve());
    });

    for (const n of range(100)) device.publish("jobs/a", n);
    await all;

    same(
      got.map(Number).sort((a, b) => a - b),
      range(100),
    );
  },
};
