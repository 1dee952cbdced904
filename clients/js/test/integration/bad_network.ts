// A TCP proxy that can break connections, and make them silent.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class BadNetwork {
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();
  /** The port that it passes connections on to. */
  target = 0;

  private constructor() {
    this.#server = createServer((near) => this.#accept(near));
  }

  static async listen(): Promise<BadNetwork> {
    const network = new BadNetwork();
    network.#server.listen(0, "127.0.0.1");
    await once(network.#server, "listening");
    return network;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #accept(near: Socket): void {
    const far = connect(this.target, "127.0.0.1");
    const pair: [Socket, Socket] = [near, far];
    this.#pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      this.#pairs.delete(pair);
    };
    for (const socket of pair) socket.setNoDelay(true).on("error", end).on("close", end);
    near.pipe(far);
    far.pipe(near);
  }

  cut(): void {
    for (const [near] of this.#pairs) near.destroy();
  }

  stall(): void {
    for (const pair of this.#pairs) {
      for (const socket of pair) socket.unpipe().removeAllListeners("data").pause();
    }
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
  }
}
