// Chromium, named by MURRE_CHROMIUM, with the console open in it.

import assert from "node:assert/strict";
import axe from "axe-core";
import { chromium } from "playwright-core";

/** What Chromium itself says of a connection that breaks, or that nobody takes. */
const LOST = /WebSocket connection to .* failed|net::ERR_/;

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

  close() {
    return this.#browser.close();
  }
}

/** What axe finds that is serious or worse, with the elements. */
export async function seriousFindings(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
