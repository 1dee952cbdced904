// A client on a fake network and a fake clock, with the test as the broker.

import { Client } from "../../src/client.js";
import type { ConnectOptions } from "../../src/options.js";
import { FakeClock, settled } from "./fake_clock.js";
import { FakeSocket, type Packet } from "./fake_socket.js";

const CONNECTED = {
  client_id: "given",
  session_present: false,
  session_expiry: 0,
  durable: false,
  epoch: "e1",
  keep_alive: 60,
  max_packet: 1 << 20,
  max_message: 4 << 20,
  server: "fake",
  time: 1_700_000_000_000,
};

export class FakeBroker {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];

  client(options: ConnectOptions = {}): Client {
    const { sockets } = this;
    class Socket extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    return new Client("ws://broker", { ...options, webSocket: Socket }, this.clock);
  }

  /** The newest socket that the client opened. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("the client opened no socket");
    return socket;
  }

  /** Takes the connection that the client is making; gives its socket and CONNECT. */
  async accept(info: Partial<typeof CONNECTED> = {}): Promise<{ socket: FakeSocket; connect: Packet }> {
    await settled();
    const { socket } = this;
    socket.open();
    const [connect] = socket.take();
    if (connect?.type !== "connect") throw new Error(`expected CONNECT, got ${JSON.stringify(connect)}`);
    socket.receive({ type: "connected", info: { ...CONNECTED, ...info } });
    await settled();
    return { socket, connect };
  }

  /** A client with a connection. */
  async connected(options: ConnectOptions = {}, info: Partial<typeof CONNECTED> = {}) {
    const client = this.client(options);
    const { socket, connect } = await this.accept(info);
    return { client, socket, connect };
  }

  /** The connection breaks, the client waits, and comes back. */
  async reconnect(info: Partial<typeof CONNECTED> = {}) {
    this.socket.closeByBroker();
    await this.nextAttempt();
    return this.accept(info);
  }

  /** Lets time go by until the client opens another socket. */
  async nextAttempt(): Promise<void> {
    const before = this.sockets.length;
    while (this.sockets.length === before) await this.clock.advance(100);
  }

  /** What the client sent since, when all that is ready has run. */
  async taken(): Promise<Packet[]> {
    await settled();
    return this.socket.take();
  }
}

/** A MESSAGE with a JSON value. */
export function message(sub: number, position: number, value: unknown, more: Partial<Packet> = {}): Packet {
  const payload = new TextEncoder().encode(JSON.stringify(value));
  return { type: "message", sub, topic: "site/a", format: 2, payload, time: 1_700_000_000_123, position, ...more };
}

export function subscribed(sub: number, info?: object): Packet {
  return { type: "subscribed", sub, code: 0, info };
}

export function caughtUp(sub: number, positions: number[] = [256], count = 0): Packet {
  return { type: "caught_up", sub, info: { positions, count } };
}
