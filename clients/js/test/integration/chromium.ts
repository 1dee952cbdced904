// Chromium, named by MURRE_CHROMIUM, and a server for the page that it opens.

import { once } from "node:events";
import { readFileSync } from "node:fs";
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
    const [browser, server] = await Promise.all([chromium.launch({ executablePath, args }), servePages()]);
    return new Chromium(browser, server);
  }

  /** A page of its own, whose scenarios act on `network`. */
  async open(network: Network): Promise<OpenPage> {
    const { page, errors } = await this.#newPage();
    await page.exposeFunction("network", (what: keyof Network) => network[what]());
    await page.goto(this.#address("/"));
    return { page, errors };
  }

  /** The page that the README has, with the broker at `url`. */
  async openReadme(url: string): Promise<OpenPage> {
    const { page, errors } = await this.#newPage();
    await page.goto(this.#address(`/readme.html?${encodeURIComponent(url)}`));
    return { page, errors };
  }

  async #newPage(): Promise<OpenPage> {
    const page = await this.#browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    return { page, errors };
  }

  #address(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.close();
  }
}

async function servePages(): Promise<Server> {
  const [scenarios, sdk] = await Promise.all([bundled("test/integration/page.ts"), bundled("src/index.ts")]);
  const html = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/scenarios.js"></script>';
  const files: Record<string, [type: string, text: string]> = {
    "/": ["text/html", html],
    "/scenarios.js": ["text/javascript", scenarios],
    "/murre.bundle.js": ["text/javascript", sdk],
    "/readme.html": ["text/html", readmePage()],
  };
  const server = createServer((request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const file = files[path];
    if (!file) return void response.writeHead(404).end();
    const [type, text] = file;
    response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` });
    response.end(text.replace("ws://127.0.0.1:8080", decodeURIComponent(query)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function bundled(entry: string): Promise<string> {
  const options = { bundle: true, format: "esm", target: "es2022", write: false } as const;
  const { outputFiles } = await build({ ...options, entryPoints: [entry] });
  return outputFiles[0]?.text ?? "";
}

/** The page that README.md shows. */
function readmePage(): string {
  const page = /^```html\n([\s\S]*?)^```/m.exec(readFileSync("README.md", "utf8"))?.[1];
  if (!page) throw new Error("README.md has no page");
  return page;
}
