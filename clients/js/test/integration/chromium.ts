// Chromium, named by MURRE_CHROMIUM, and a server for the page that it opens.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Network } from "./world.js";

/** A page with the scenarios, and what went wrong in it. */
export interface OpenPage {
  page: Page;
  errors: string[];
}

export class Chromium {
  readonly #browser: Browser;
  readonly #server: Server;

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser;
    this.#server = server;
  }

  static async launch(): Promise<Chromium> {
    const executablePath = process.env.MURRE_CHROMIUM;
    if (!executablePath) throw new Error("MURRE_CHROMIUM doesn't name Chromium; `cargo xtask test js` sets it");
    // Whoever is root, as in a container, has to do without the sandbox. Only pages of this test are opened.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const [browser, server] = await Promise.all([chromium.launch({ executablePath, args }), servePage()]);
    return new Chromium(browser, server);
  }

  /** A page of its own, whose scenarios act on `network`. */
  async open(network: Network): Promise<OpenPage> {
    const page = await this.#browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.exposeFunction("network", (what: keyof Network) => network[what]());
    await page.goto(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
    return { page, errors };
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.close();
  }
}

async function servePage(): Promise<Server> {
  const { outputFiles } = await build({
    entryPoints: ["test/integration/page.ts"],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const script = outputFiles[0]?.text ?? "";
  const server = createServer((request, response) => {
    const [type, body] =
      request.url === "/page.js"
        ? ["text/javascript", script]
        : ["text/html", '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'];
    response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
