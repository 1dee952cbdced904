// The page in which scenarios run: bundled for the browser.

import { scenarios } from "./scenarios.js";
import { type Network, World } from "./world.js";

interface Page {
  /** Given by the test: does something to the broker or the way to it. */
  network(what: keyof Network): Promise<void>;
  runScenario(title: string, url: string): Promise<void>;
  World: typeof World;
}
const page = globalThis as unknown as Page;

const network: Network = {
  start: () => page.network("start"),
  kill: () => page.network("kill"),
  stop: () => page.network("stop"),
  cut: () => page.network("cut"),
  stall: () => page.network("stall"),
};

page.World = World;
page.runScenario = async (title, url) => {
  const world = new World(url, network);
  try {
    await scenarios[title]?.(world);
  } finally {
    await world.end();
  }
};
