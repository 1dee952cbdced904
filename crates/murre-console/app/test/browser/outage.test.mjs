// A broker that dies and comes back, with a simulator that keeps its readings meanwhile.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { Broker } from "./broker.mjs";
import { Chromium } from "./chromium.mjs";

const LIMIT = { timeout: 120_000 };
const TOPIC = "vehicle/v01/motion";
let browser;
before(async () => {
  browser = await Chromium.launch();
});
after(() => browser.close());

/** A vehicle that publishes twice a second, and keeps on disk what it can't. Ended with the test. */
async function startVehicle(t, broker) {
  const spool = await mkdtemp(join(tmpdir(), "murre-spool-"));
  const program = join(dirname(process.env.MURRE_BINARY), "gps-tracker");
  const address = `${broker.url.replace("http", "ws")}/ws`;
  const vehicle = spawn(program, ["--devices", "1", "--broker", address, "--spool", spool], { stdio: "ignore" });
  const ended = once(vehicle, "exit");
  t.after(async () => {
    vehicle.kill("SIGKILL");
    await ended;
    await rm(spool, { recursive: true });
  });
}

/** The lines of the plots' data without their header, each as [time, speed, heading]. */
async function plotted(page) {
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const text = await readFile(await (await downloading).path(), "utf8");
  const lines = text.trim().split("\r\n").slice(1);
  return lines.map((line) => line.split(","));
}

/** The speeds that the broker has kept, in their order. */
async function kept(broker) {
  const { messages } = await (await fetch(`${broker.url}/history/${TOPIC}?limit=10000`)).json();
  return messages.map(({ payload }) => String(payload.speed_mps));
}

test("a broker killed and started again heals the page within 5 s, without a gap in its plots", LIMIT, async (t) => {
  const broker = await Broker.begin();
  t.after(() => broker.end());
  await startVehicle(t, broker);
  const page = await browser.open(t, broker, { path: `/?topic=${TOPIC}` });
  const age = page.locator(`[data-topic="${TOPIC}"] .age`);
  await page.locator(".recent li").nth(9).waitFor();

  await broker.kill();
  // By then ten readings at least are missing.
  await age.and(page.locator(".stale")).waitFor();
  const before = await plotted(page);
  await broker.start();
  await page.getByRole("status").getByText("Live").waitFor({ timeout: 5000 });
  await age.and(page.locator(":not(.stale)")).waitFor();

  // The vehicle sends what it kept in its order: a reading of now says that all before it is there.
  const isLate = ([time]) => Date.now() - Date.parse(time) > 2000;
  let lines = await plotted(page);
  while (lines.every(isLate)) lines = await plotted(page);
  const speeds = lines.map(([, speed]) => speed);
  assert.ok(lines.length >= before.length + 10, "what the vehicle kept is there");
  assert.ok(!speeds.includes(""), "no gap");
  assert.deepEqual(speeds, (await kept(broker)).slice(0, speeds.length), "all that the broker has, in its order");
});
