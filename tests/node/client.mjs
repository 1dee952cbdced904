// A client written from docs/protocol.md alone, with `ws` and `@msgpack/msgpack`: both subprotocols behind one face.

import { encode, decodeMulti } from "@msgpack/msgpack";
import { WebSocket } from "ws";

/** The elements of each packet after its type, by type and name. */
const PACKETS = {
  connect: [1, "options"],
  connected: [2, "info"],
  publish: [3, "topic", "format", "payload", "id", "options"],
  published: [4, "id", "code", "position", "reason"],
  subscribe: [5, "sub", "filter", "options"],
  subscribed: [6, "sub", "code", "info"],
  unsubscribe: [7, "sub"],
  unsubscribed: [8, "sub", "code"],
  message: [9, "sub", "topic", "format", "payload", "time", "position", "options"],
  ack: [10, "sub", "position"],
  ping: [11],
  pong: [12],
  disconnect: [13, "code", "reason", "retry_after"],
  notice: [14, "info"],
  caught_up: [15, "sub", "info"],
};
const NAMES = new Map(Object.entries(PACKETS).map(([name, [type]]) => [type, name]));

/** Packets as MessagePack arrays in binary messages. */
export const msgpack = {
  subprotocol: "murre.v1.msgpack",
  write({ type, ...elements }) {
    const [number, ...names] = PACKETS[type];
    const values = names.map((name) => elements[name]);
    while (values.length > 0 && values.at(-1) === undefined) values.pop();
    return encode([number, ...values]);
  },
  *read(data, isBinary) {
    if (!isBinary) throw new Error("text on the MessagePack subprotocol");
    for (const [number, ...values] of decodeMulti(data)) {
      const [, ...names] = PACKETS[NAMES.get(number)];
      yield { type: NAMES.get(number), ...Object.fromEntries(names.map((name, index) => [name, values[index]])) };
    }
  },
  /** A payload that is a JSON value. */
  payload: (value) => ({ format: 2, payload: new TextEncoder().encode(JSON.stringify(value)) }),
  /** The value in a MESSAGE, format 1 or 2. */
  value: ({ format, payload }) =>
    format === 1 ? [...decodeMulti(payload)][0] : JSON.parse(new TextDecoder().decode(payload)),
};

/** Packets as JSON objects, a line each, in text messages. */
export const json = {
  subprotocol: "murre.v1.json",
  write: (packet) => JSON.stringify(packet),
  *read(data, isBinary) {
    if (isBinary) throw new Error("binary on the JSON subprotocol");
    for (const line of data.toString().split("\n")) if (line) yield JSON.parse(line);
  },
  payload: (value) => ({ payload: value }),
  value: ({ payload }) => payload,
};

export class Client {
  #packets = [];
  #waiting = null;
  #end = null;

  constructor(address, codec, options = {}) {
    this.codec = codec;
    this.socket = new WebSocket(address, codec.subprotocol, options);
    this.socket.on("message", (data, isBinary) => {
      this.#packets.push(...codec.read(data, isBinary));
      this.#wake();
    });
    this.socket.on("error", (error) => this.#finish({ error }));
    this.socket.on("close", (code, reason) => this.#finish({ code, reason: reason.toString() }));
  }

  /** Opens, sends CONNECT and waits for CONNECTED. */
  static async connect(address, codec, options = {}) {
    const client = new Client(address, codec);
    await client.open();
    client.send({ type: "connect", options });
    client.connected = (await client.expect("connected")).info;
    return client;
  }

  open() {
    return new Promise((resolve, reject) => this.socket.once("open", resolve).once("error", reject));
  }

  /** Sends packets, all in one WebSocket message. */
  send(...packets) {
    const written = packets.map((packet) => this.codec.write(packet));
    this.socket.send(typeof written[0] === "string" ? written.join("\n") : Buffer.concat(written));
  }

  /** The next packet, in order. */
  async next() {
    while (this.#packets.length === 0) {
      if (this.#end) throw new Error(`the connection ended: ${JSON.stringify(this.#end)}`);
      await new Promise((resolve) => (this.#waiting = resolve));
    }
    return this.#packets.shift();
  }

  /** The next packet, which has to be of this type. */
  async expect(type) {
    const packet = await this.next();
    if (packet.type !== type) throw new Error(`expected ${type}, got ${JSON.stringify(packet)}`);
    return packet;
  }

  /** Subscribes and gives the snapshot. */
  async subscribe(sub, filter, options = {}) {
    this.send({ type: "subscribe", sub, filter, options });
    const { code, info } = await this.expect("subscribed");
    if (code) throw new Error(`refused: ${code} ${info?.reason}`);
    const snapshot = [];
    for (;;) {
      const packet = await this.next();
      if (packet.type === "caught_up") return snapshot;
      snapshot.push(packet);
    }
  }

  /** Publishes a JSON value and gives PUBLISHED. */
  async publish(topic, value, options) {
    this.send({ type: "publish", topic, ...this.codec.payload(value), id: 7, options });
    return this.expect("published");
  }

  /** How the connection ended. */
  async ended() {
    while (!this.#end) await new Promise((resolve) => (this.#waiting = resolve));
    return this.#end;
  }

  #finish(end) {
    this.#end ??= end;
    this.#wake();
  }

  #wake() {
    this.#waiting?.();
    this.#waiting = null;
  }
}
