// A WebSocket whose other end is the test: packets as objects, in both directions.

import { decodeMulti, encode } from "@msgpack/msgpack";
import type { SocketLike } from "../../src/shell/socket.js";

/** The elements of each packet after its type, by type and name, as docs/protocol.md has them. */
const PACKETS: Record<string, [number, ...string[]]> = {
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

// biome-ignore lint/suspicious/noExplicitAny: a test reads from a packet whatever it expects in it
export type Packet = { type: string; [element: string]: any };

export function writePacket({ type, ...elements }: Packet): Uint8Array {
  const [number, ...names] = PACKETS[type] as [number, ...string[]];
  const values = names.map((name) => elements[name]);
  while (values.length > 0 && values.at(-1) === undefined) values.pop();
  return encode([number, ...values], { ignoreUndefined: true });
}

export function readPackets(bytes: Uint8Array): Packet[] {
  return [...decodeMulti(bytes)].map((elements) => {
    const [number, ...values] = elements as [number, ...unknown[]];
    const type = NAMES.get(number) as string;
    const [, ...names] = PACKETS[type] as [number, ...string[]];
    return { type, ...Object.fromEntries(names.map((name, index) => [name, values[index]])) };
  });
}

export class FakeSocket implements SocketLike {
  binaryType = "blob";
  bufferedAmount = 0;
  protocol = "";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly url: string;
  readonly protocols: string[];
  /** What the client sent and the test has not taken. */
  readonly sent: Packet[] = [];
  /** How many WebSocket messages the client sent. */
  frames = 0;
  /** The code with which the client closed; undefined while it didn't. */
  closedWith: { code: number | undefined; reason: string | undefined } | undefined;

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    this.frames += 1;
    this.sent.push(...readPackets(data));
  }

  close(code?: number, reason?: string): void {
    this.closedWith ??= { code, reason };
  }

  // The broker's side.

  open(protocol = "murre.v1.msgpack"): void {
    this.protocol = protocol;
    this.onopen?.({} as never);
  }

  receive(...packets: Packet[]): void {
    const written = packets.map(writePacket);
    const bytes = new Uint8Array(written.reduce((sum, packet) => sum + packet.length, 0));
    let at = 0;
    for (const packet of written) {
      bytes.set(packet, at);
      at += packet.length;
    }
    this.receiveBytes(bytes);
  }

  receiveBytes(bytes: Uint8Array): void {
    this.onmessage?.({ data: bytes.slice().buffer } as never);
  }

  closeByBroker(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as never);
  }

  /** Takes what the client sent. */
  take(): Packet[] {
    return this.sent.splice(0);
  }
}
