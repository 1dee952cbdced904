// The real binary, named by MURRE_BINARY, on a port that it keeps over a restart.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { announcedAddress } from "../../../../../tests/node/broker.mjs";

const CONFIGURATION = `
[[keep]]
filter = "#"
last = 1000
durable = true
`;

export class Broker {
  /** Any free port at first, from then on the one that it got. */
  #address = "127.0.0.1:0";
  #folder;
  #process;
  #ended;
  /** Whether a test has ended the broker below its pages. */
  wasKilled = false;
  /** The pages that have its console open. */
  pages = [];

  static async begin() {
    const broker = new Broker();
    broker.#folder = await mkdtemp(join(tmpdir(), "murre-console-"));
    await writeFile(join(broker.#folder, "murre.toml"), CONFIGURATION);
    await broker.start();
    return broker;
  }

  get url() {
    return `http://${this.#address}`;
  }

  async start() {
    const binary = process.env.MURRE_BINARY;
    if (!binary) throw new Error("MURRE_BINARY doesn't name the binary; `cargo xtask test console` sets it");
    this.#process = spawn(binary, ["serve", "--bind", this.#address, "--data", "store"], {
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#ended = once(this.#process, "exit");
    this.#address = await announcedAddress(this.#process, this.#ended);
  }

  /** Ends the broker as a power cut does. */
  async kill() {
    this.wasKilled = true;
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  /** Publishes a JSON value; done when the broker has it. */
  async publish(topic, value) {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${this.url}/topics/${topic}`, { method: "POST", headers, body: JSON.stringify(value) });
    if (!answer.ok) throw new Error(`${topic} was refused: ${answer.status} ${await answer.text()}`);
  }

  /** Closes the pages before the broker: none may have to say that it has lost it. */
  async end() {
    await Promise.all(this.pages.map((page) => page.close()));
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }
}
