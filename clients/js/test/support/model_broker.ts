// The least that a broker is, to judge clients by: one log, from which subscriptions are served. Its network loses
// whatever is under way when a connection breaks.

import type { Client, ConnectOptions } from "../../src/index.js";
import { caughtUp, FakeBroker, message, subscribed } from "./fake_broker.js";
import type { FakeSocket, Packet } from "./fake_socket.js";

const SHARDS = 4;

/** Numbers that look random and are the same in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What was published, in the broker's order. */
export interface Logged {
  topic: string;
  position: number;
  value: number;
}

export class ModelBroker {
  readonly log: Logged[] = [];
  readonly #positions = Array.from({ length: SHARDS }, (_, shard) => 256 + shard);
  readonly #connections = new Set<ModelConnection>();

  /** A connection through which a client reaches it. */
  connection(options: ConnectOptions = {}): ModelConnection {
    const connection = new ModelConnection(this, options);
    this.#connections.add(connection);
    return connection;
  }

  /** Where every shard stands. */
  get positions(): number[] {
    return [...this.#positions];
  }

  publish(topic: string, payload: Uint8Array): number {
    const shard = (topic.codePointAt(topic.length - 1) ?? 0) % SHARDS;
    const position = (this.#positions[shard] ?? 0) + 256;
    this.#positions[shard] = position;
    const logged = { topic, position, value: Number(new TextDecoder().decode(payload)) };
    this.log.push(logged);
    for (const connection of this.#connections) connection.deliver(logged);
    return position;
  }

  /** What came after a list of positions. */
  after(positions: number[]): Logged[] {
    const reached = new Map(positions.map((position) => [position % 256, position]));
    return this.log.filter(({ position }) => position > (reached.get(position % 256) ?? 0));
  }
}

/** One client's way to the broker, a packet at a time. */
export class ModelConnection {
  readonly client: Client;
  readonly network = new FakeBroker();
  readonly #broker: ModelBroker;
  readonly #live = new Set<number>();
  #socket: FakeSocket | undefined;
  #toClient: Packet[] = [];

  constructor(broker: ModelBroker, options: ConnectOptions) {
    this.#broker = broker;
    this.client = this.network.client(options);
  }

  /** Whether there is a connection, and nothing is under way on it. */
  get isQuiet(): boolean {
    const isConnected = this.client.state.name === "connected";
    return isConnected && this.#toClient.length === 0 && this.#socket?.sent.length === 0;
  }

  /** One thing happens, by chance. */
  async step(chance: number, cuts: boolean): Promise<void> {
    const socket = this.network.sockets.at(-1);
    if (socket !== this.#socket || !socket) await this.#accept(socket);
    else if (cuts && chance < 0.05) this.#cut(socket);
    else if (chance < 0.5) this.#hear(socket.sent.shift());
    else if (chance < 0.95) this.#say(socket, this.#toClient.shift());
    await this.network.clock.advance(50);
  }

  async #accept(socket: FakeSocket | undefined): Promise<void> {
    this.#live.clear();
    this.#toClient = [];
    this.#socket = socket;
    socket?.open();
  }

  #cut(socket: FakeSocket): void {
    this.#live.clear();
    this.#toClient = [];
    socket.sent.length = 0;
    socket.closeByBroker();
  }

  #say(socket: FakeSocket, packet: Packet | undefined): void {
    if (packet && !socket.closedWith) socket.receive(packet);
  }

  #hear(packet: Packet | undefined): void {
    if (packet?.type === "connect") this.#toClient.push({ type: "connected", info: { client_id: "c", epoch: "e1" } });
    if (packet?.type === "subscribe") this.#subscribe(packet);
    if (packet?.type !== "publish") return;
    const position = this.#broker.publish(packet.topic, packet.payload);
    this.#toClient.push({ type: "published", id: packet.id, code: 0, position });
  }

  #subscribe({ sub, options }: Packet): void {
    const after = options?.from?.after;
    this.#live.add(sub);
    this.#toClient.push(subscribed(sub, after && { recovered: true }));
    for (const logged of after ? this.#broker.after(after) : []) this.#send(sub, logged);
    this.#toClient.push(caughtUp(sub, this.#broker.positions));
  }

  deliver(logged: Logged): void {
    for (const sub of this.#live) this.#send(sub, logged);
  }

  #send(sub: number, { topic, position, value }: Logged): void {
    this.#toClient.push(message(sub, position, value, { topic }));
  }
}
