// A client of the broker that isn't a page: a WebSocket by hand, since libraries don't let go of reading.

import { connect } from "node:net";

const REQUEST = [
  "GET /ws HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Protocol: murre.v1.json",
].join("\r\n");

export class Device {
  #socket;
  #heard = "";
  #waiting = [];

  /** A device of that client id, connected, gone with the test. */
  static async connect(t, broker, clientId) {
    const device = new Device();
    const { hostname, port } = new URL(broker.url);
    const socket = connect(Number(port), hostname);
    device.#socket = socket;
    t.after(() => socket.destroy());
    // The broker ends what it disconnects, and what it leaves behind.
    socket.on("error", () => {});
    socket.on("data", (bytes) => device.#hear(bytes.toString()));
    socket.write(`${REQUEST}\r\n\r\n`);
    await device.hears("101 Switching Protocols");
    device.#send({ type: "connect", options: { client_id: clientId } });
    await device.hears('"connected"');
    return device;
  }

  /** Subscribes; done when the broker says so. */
  subscribe(filter, options = {}) {
    this.#send({ type: "subscribe", sub: 1, filter, options });
    return this.hears('"subscribed"');
  }

  /** Publishes a value; done when the broker has it. */
  publish(topic, payload) {
    this.#send({ type: "publish", topic, id: 1, payload });
    return this.hears('"published"');
  }

  /** Done when the broker has said that, from the last time that something was waited for on. */
  hears(text) {
    return new Promise((resolve) => {
      this.#waiting.push({ text, resolve });
      this.#hear("");
    });
  }

  /** Reads no more. */
  stall() {
    this.#socket.pause();
  }

  #hear(more) {
    this.#heard += more;
    const [first] = this.#waiting;
    const at = first ? this.#heard.indexOf(first.text) : -1;
    if (at < 0) return;
    this.#heard = this.#heard.slice(at + first.text.length);
    this.#waiting.shift();
    first.resolve();
    this.#hear("");
  }

  /** One frame of text of less than 64 KiB, masked by zeros. */
  #send(packet) {
    const payload = Buffer.from(JSON.stringify(packet));
    const { length } = payload;
    const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
    this.#socket.write(Buffer.concat([Buffer.from([0x81, ...size, 0, 0, 0, 0]), payload]));
  }
}

/** Does something again and again until what is waited for is there. */
export async function during(awaited, something) {
  let isThere = false;
  const done = awaited.then(() => {
    isThere = true;
  });
  while (!isThere) await something();
  await done;
}

/** Publishes more than one that doesn't read has room for, when done a few times: sockets take some megabytes. */
export function flood(broker, topic) {
  return broker.publish(topic, "x".repeat(400_000));
}
