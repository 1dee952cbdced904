// Chromium, named by MURRE_CHROMIUM, with the console open in it.

import assert from "node:assert/strict";
import axe from "axe-core";
import { chromium } from "playwright-core";

/** What Chromium itself says of a connection that breaks, or that nobody takes. */
const LOST = /WebSocket connection to .* failed|net::ERR_/;

/** In a trace: which process and thread are the page's. */
const MARK = "the page is measured";

export class Chromium {
  #browser;

  static async launch() {
    const executablePath = process.env.MURRE_CHROMIUM;
    if (!executablePath) throw new Error("MURRE_CHROMIUM doesn't name Chromium; `cargo xtask test console` sets it");
    // Whoever is root, as in a container, has to do without the sandbox. Only pages of this test are opened.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const launched = new Chromium();
    launched.#browser = await chromium.launch({ executablePath, args });
    return launched;
  }

  /**
   * The console of a broker in a page of the test's own. Until the test's end nothing may go wrong in it, nor be asked
   * in vain. Only after the test has killed the broker may connections be lost. `excused`: what else may go wrong, as
   * the test is about it.
   */
  async open(t, broker, { path = "/", excused, ...options } = {}) {
    const page = await this.#browser.newPage(options);
    broker.pages.push(page);
    const problems = [];
    const url = new URL(path, broker.url);
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (said) => {
      const excused = broker.wasKilled && LOST.test(said.text());
      if (["error", "warning"].includes(said.type()) && !excused) problems.push(said.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).host !== url.host) problems.push(`asks another host: ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
    });
    t.after(async () => {
      await page.close();
      assert.deepEqual(
        problems.filter((problem) => !excused?.test(problem)),
        [],
      );
    });
    await page.goto(url.href);
    return page;
  }

  /**
   * Publishes a number on each of so many topics, `plant/0/sensor/0`, `plant/1/sensor/1` and so on, each its own number
   * and `base` more, from a page of its own; done when the broker has all.
   */
  async publishMany(broker, count, base = 0) {
    const page = await this.#browser.newPage();
    await page.goto(`${broker.url}/health/live`);
    await page.evaluate(publishMany, { count, base });
    await page.close();
  }

  /** Milliseconds of the processor that the longest task of a page took while `run` ran. */
  async longestTask(page, run) {
    await this.#browser.startTracing(page, { categories: ["toplevel", "blink.user_timing"] });
    await page.evaluate((mark) => performance.mark(mark), MARK);
    await run();
    const { traceEvents } = JSON.parse((await this.#browser.stopTracing()).toString());
    const { pid, tid } = traceEvents.find(({ name }) => name === MARK);
    const tasks = traceEvents.filter((each) => each.pid === pid && each.tid === tid && /RunTask$/.test(each.name));
    return Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur)) / 1000;
  }

  close() {
    return this.#browser.close();
  }
}

/** In a page of the broker: publishes by the protocol's JSON, and waits until the broker has the last. */
function publishMany({ count, base }) {
  const socket = new WebSocket(`ws://${location.host}/ws`, "murre.v1.json");
  const packet = (n, id) =>
    JSON.stringify({ type: "publish", topic: `plant/${n % 100}/sensor/${n}`, id, payload: base + n });
  return new Promise((resolve, reject) => {
    socket.onerror = reject;
    socket.onmessage = ({ data }) => {
      if (data.includes('"connected"')) {
        for (let n = 0; n < count; n++) socket.send(packet(n, n === count - 1 ? 1 : 0));
      } else if (data.includes('"published"')) resolve();
    };
    socket.onopen = () => socket.send(JSON.stringify({ type: "connect" }));
  });
}

/** What axe finds that is serious or worse, with the elements. */
export async function seriousFindings(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
