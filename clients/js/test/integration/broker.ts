// The real binary, named by MURRE_BINARY, with a store, behind a proxy that can be a bad network.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { BadNetwork } from "./bad_network.js";
import type { Network } from "./world.js";

const CONFIGURATION = `
[[keep]]
filter = "kept/#"
last = 100000
durable = true
`;

export class Broker implements Network {
  readonly #network: BadNetwork;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(network: BadNetwork, folder: string) {
    this.#network = network;
    this.#folder = folder;
  }

  static async begin(): Promise<Broker> {
    const folder = await mkdtemp(join(tmpdir(), "murre-js-"));
    await writeFile(join(folder, "murre.toml"), CONFIGURATION);
    const broker = new Broker(await BadNetwork.listen(), folder);
    await broker.start();
    return broker;
  }

  /** Where clients find it, whenever it is there. */
  get url(): string {
    return `ws://127.0.0.1:${this.#network.port}/ws`;
  }

  async start(): Promise<void> {
    const binary = process.env.MURRE_BINARY;
    if (!binary) throw new Error("MURRE_BINARY doesn't name the binary; `cargo xtask test js` sets it");
    const started = spawn(binary, ["serve", "--bind", "127.0.0.1:0", "--data", "store"], {
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = started;
    this.#network.target = await announcedPort(started);
  }

  /** Ends the broker as a power cut does. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Ends the broker as a service manager does. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, "exit");
    process.kill(signal);
    await ended;
  }

  /** Breaks every connection. */
  async cut(): Promise<void> {
    this.#network.cut();
  }

  /** The connections that there are stay open and carry nothing any more; new ones work. */
  async stall(): Promise<void> {
    this.#network.stall();
  }

  async end(): Promise<void> {
    await this.kill();
    await this.#network.close();
    await rm(this.#folder, { recursive: true });
  }
}

function announcedPort(broker: ChildProcess): Promise<number> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    for (const input of [broker.stdout, broker.stderr]) {
      createInterface({ input: input as Readable }).on("line", (line) => {
        said.push(line);
        const found = /listening on http:\/\/[\d.]+:(\d+)/.exec(line);
        if (found) resolve(Number(found[1]));
      });
    }
    broker.on("error", reject);
    broker.on("exit", () => reject(new Error(`the broker ended before it listened:\n${said.join("\n")}`)));
  });
}
