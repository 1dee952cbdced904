// The real binary, named by MURRE_BINARY, on a port that it keeps over a restart.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const CONFIGURATION = `
[[keep]]
filter = "#"
last = 1000
durable = true
`;

export class Broker {
  #port;
  #folder;
  #process;

  static async begin() {
    const broker = new Broker();
    broker.#folder = await mkdtemp(join(tmpdir(), "murre-console-"));
    await writeFile(join(broker.#folder, "murre.toml"), CONFIGURATION);
    broker.#port = await freePort();
    await broker.start();
    return broker;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start() {
    const binary = process.env.MURRE_BINARY;
    if (!binary) throw new Error("MURRE_BINARY doesn't name the binary; `cargo xtask test console` sets it");
    this.#process = spawn(binary, ["serve", "--bind", `127.0.0.1:${this.#port}`, "--data", "store"], {
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    await listening(this.#process);
  }

  /** Ends the broker as a power cut does. */
  async kill() {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Publishes a JSON value; done when the broker has it. */
  async publish(topic, value) {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(`${this.url}/topics/${topic}`, { method: "POST", headers, body: JSON.stringify(value) });
    if (!answer.ok) throw new Error(`${topic} was refused: ${answer.status} ${await answer.text()}`);
  }

  async end() {
    await this.kill();
    await rm(this.#folder, { recursive: true });
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function listening(broker) {
  const said = [];
  return new Promise((resolve, reject) => {
    for (const input of [broker.stdout, broker.stderr]) {
      createInterface({ input }).on("line", (line) => {
        said.push(line);
        if (line.includes("listening on http://")) resolve();
      });
    }
    broker.on("error", reject);
    broker.on("exit", () => reject(new Error(`the broker ended before it listened:\n${said.join("\n")}`)));
  });
}
