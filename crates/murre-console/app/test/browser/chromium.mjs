// Chromium, named by MURRE_CHROMIUM, with the console open in it.

import assert from "node:assert/strict";
import axe from "axe-core";
import { chromium } from "playwright-core";

/** What Chromium itself says of a connection that the broker's end broke: no fault of the page. */
const LOST = /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED/;

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

  /** The console in a page of the test's own. Until the test's end nothing may go wrong in it, nor be asked in vain. */
  async open(t, url, options = {}) {
    const page = await this.#browser.newPage(options);
    const problems = [];
    const host = new URL(url).host;
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (said) => {
      if (["error", "warning"].includes(said.type()) && !LOST.test(said.text())) problems.push(said.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).host !== host) problems.push(`asks another host: ${request.url()}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
    });
    t.after(async () => {
      await page.close();
      assert.deepEqual(problems, []);
    });
    await page.goto(url);
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
