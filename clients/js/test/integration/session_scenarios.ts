// What a session keeps, against a real broker.

import type { Scenario } from "./scenarios.js";
import { range, reaches, same, take, values } from "./world.js";

const SESSION = { clientId: "archive", sessionExpiry: 600 };

export const sessionScenarios: Record<string, Scenario> = {
  "a session keeps what is published while its program is away": async (world) => {
    const before = world.client(SESSION);
    await before.subscribe("jobs/#", { from: "live", ack: true }).ready;
    await before.close();
    const device = world.client();
    for (const n of range(10)) await device.publish("jobs/a", n);

    const later = world.client(SESSION);
    const jobs = later.subscribe("jobs/#", { ack: true });

    same(values(await take(jobs, 10)), range(10));
    same((await later.whenConnected()).sessionPresent, true);
  },

  "what was not acknowledged comes again when the broker is back": async (world) => {
    const archive = world.client(SESSION);
    const jobs = archive.subscribe("jobs/#", { from: "live", ack: "explicit" });
    await jobs.ready;
    const device = world.client();
    for (const n of range(10)) await device.publish("jobs/a", n);
    const first = await take(jobs, 10);
    first[4]?.ack();
    // Behind the acknowledgement on the same connection, and it makes that durable.
    await archive.publish("jobs/a", 10);

    await world.network.stop();
    await reaches(archive, "waiting");
    await world.network.start();

    same(values(await take(jobs, 1 + 6)), [10, 5, 6, 7, 8, 9, 10]);
  },

  "a subscription that was closed is no part of the session any more": async (world) => {
    const before = world.client(SESSION);
    const jobs = before.subscribe("jobs/#", { from: "live", ack: true });
    await jobs.ready;
    await jobs.close();
    await before.close();
    const device = world.client();
    for (const n of range(3)) await device.publish("jobs/a", n);

    const later = world.client(SESSION).subscribe("jobs/#", { ack: true });

    // The last value of a new subscription, and not all that was published meanwhile.
    const [last] = await take(later, 1);
    same([last?.value, last?.retained], [2, true]);
  },
};
