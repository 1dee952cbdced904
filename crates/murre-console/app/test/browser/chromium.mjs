// Chromium, named by MURRE_CHROMIUM, with the console open in it.

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

  /** The console in a page of its own, and all that went wrong in it, requests that a broker doesn't answer among it. */
  async open(url, options = {}) {
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
    await page.goto(url);
    return { page, problems };
  }

  close() {
    return this.#browser.close();
  }
}
