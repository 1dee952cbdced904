// Pictures of each view for the documents: `node scripts/screenshots.mjs FOLDER`. They are of the demo, by the binary
// that MURRE_BINARY names, in the browser that MURRE_CHROMIUM names.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 720 };
/** Seconds of readings that plots should have. */
const READINGS_S = 240;
/** Seconds that a view has to fill itself. */
const SETTLE_S = 4;
/** Bytes of a picture that a document may carry. */
const BYTES_MAX = 200_000;

/** Each view: its file's name, where it is, and what is different from a light one of 1280 × 800. */
const VIEWS = [
  { name: "dashboard", path: "/?view=dashboards#demo" },
  { name: "dashboard-dark", path: "/?view=dashboards#demo", colorScheme: "dark" },
  { name: "dashboard-phone", path: "/?view=dashboards#demo", viewport: PHONE },
  { name: "topics", path: "/?topic=weather/farne/wind" },
  { name: "overview", path: "/?view=overview" },
  { name: "clients", path: "/?view=clients" },
  { name: "try-it", path: `/?${new URLSearchParams({ view: "try", "try.filter": "#", "try.max_rate": "1" })}` },
];

const [folder] = process.argv.slice(2);
const { MURRE_BINARY, MURRE_CHROMIUM } = process.env;
if (!folder || !MURRE_BINARY || !MURRE_CHROMIUM) {
  throw new Error("usage: MURRE_BINARY=… MURRE_CHROMIUM=… node scripts/screenshots.mjs FOLDER");
}

const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000));

/** A demo in a folder of its own, once it says where its page is. */
async function startDemo(cwd) {
  const demo = spawn(MURRE_BINARY, ["demo", "--bind", "127.0.0.1:0"], { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(demo, "exit");
  const stop = () => {
    demo.kill("SIGINT");
    return ended;
  };
  for await (const line of createInterface({ input: demo.stdout })) {
    const url = /^Live readings: (http:\/\/[^/]+)\//.exec(line)?.[1];
    if (!url) continue;
    demo.stdout.resume();
    return { url, stop };
  }
  throw new Error("the demo ended before it said where it is");
}

async function take(browser, url, { name, path, viewport = WIDE, colorScheme = "light" }) {
  const page = await browser.newPage({ viewport, colorScheme });
  await page.goto(url + path);
  await page.getByRole("status").getByText("Live").waitFor();
  await seconds(SETTLE_S);
  const picture = await page.screenshot();
  await page.close();
  if (picture.length > BYTES_MAX) throw new Error(`${name}.png has ${picture.length} bytes, ${BYTES_MAX} are allowed`);
  await writeFile(join(folder, `${name}.png`), picture);
  console.log(`${name}.png: ${picture.length} bytes`);
}

const cwd = await mkdtemp(join(tmpdir(), "murre-screenshots-"));
const demo = await startDemo(cwd);
const browser = await chromium.launch({ executablePath: MURRE_CHROMIUM, args: ["--no-sandbox"] });
try {
  await seconds(READINGS_S);
  for (const view of VIEWS) await take(browser, demo.url, view);
} finally {
  await browser.close();
  await demo.stop();
  await rm(cwd, { recursive: true });
}
