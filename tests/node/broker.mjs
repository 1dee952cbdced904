// Starts the real binary, named by MURRE_BINARY, on a free port.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";

/** A broker of the test's own, ended with it: `const { ws, http } = await startBroker(t)`. */
export async function startBroker(t, environment = {}) {
  const binary = process.env.MURRE_BINARY;
  if (!binary) throw new Error("MURRE_BINARY doesn't name the binary; `cargo xtask test node` sets it");
  const folder = await mkdtemp(join(tmpdir(), "murre-"));
  const broker = spawn(binary, ["serve", "--bind", "127.0.0.1:0"],
    { cwd: folder, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(broker, "exit");
  t.after(async () => {
    broker.kill();
    await ended;
    await rm(folder, { recursive: true });
  });
  const address = await announcedAddress(broker, ended);
  return { ws: `ws://${address}/ws`, http: `http://${address}`, terminate: () => broker.kill("SIGTERM"), ended };
}

/** Where a broker that was started says that it listens: host and port. `ended`: the event of its end. */
export function announcedAddress(broker, ended) {
  const said = [];
  return new Promise((resolve, reject) => {
    for (const stream of [broker.stdout, broker.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        const found = /listening on http:\/\/([\d.]+:\d+)/.exec(line);
        if (found) resolve(found[1]);
      });
    }
    broker.on("error", reject);
    ended.then(() => reject(new Error(`the broker ended before it listened:\n${said.join("\n")}`)));
  });
}
