// What the tests of the model share: its modules, and messages as the SDK gives them.

import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A module of the page, such as "model/topic.ts". */
export async function load(path) {
  const { module } = await runnerImport(`./src/${path}`, {
    root,
    configFile: `${root}vite.config.ts`,
    logLevel: "error",
  });
  return module;
}

let position = 0;

/** A message whose payload has that value, taken at `time`, with a position after all before it. */
export function message(topic, value, time = 0, more = {}) {
  position += 1;
  const payload = new TextEncoder().encode(JSON.stringify(value));
  return { topic, value, time, position, format: "json", retained: false, payload, ...more };
}
