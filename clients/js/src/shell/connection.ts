// One connection, from the WebSocket's opening to its end: moves bytes between the socket and the session.

import { KeepAlive } from "../core/keep_alive.js";
import type { Notice, Session } from "../core/session.js";
import { describeCode, messageOf } from "../errors.js";
import { Code, codeOfClose, shouldReconnect } from "../protocol/codes.js";
import { type BrokerPacket, type Connected, readPackets } from "../protocol/from_broker.js";
import { connectPacket, disconnectPacket, SUBPROTOCOL, type WireOptions } from "../protocol/to_broker.js";
import type { Clock } from "./clock.js";
import type { SocketLike } from "./socket.js";

/** Past so many bytes in the socket nothing is added: publishes wait in the session's buffer, which has rules. */
const BUFFERED_MAX = 256 * 1024;
/** How often a full socket is looked at again; there is no event for it. Milliseconds. */
const BUFFERED_POLL = 20;
/** How long a broker may take for its answer after a sleep. Milliseconds. */
const PROBE_TIMEOUT = 5_000;
/** A timer that comes so much later than it should says that the machine slept. Milliseconds. */
const SLEPT = 2_000;
/** The most bytes of a reason in a close frame. */
const CLOSE_REASON_BYTES_MAX = 123;

/** Why a connection is gone, or was not made. */
export interface Loss {
  code: number | undefined;
  reason: string;
  /** Milliseconds that the broker wants the client to wait. */
  retryAfter: number | undefined;
  mayReconnect: boolean;
}

/** What a connection tells. */
export interface ConnectionListener {
  connected(info: Connected): void;
  notice(notice: Notice): void;
  /** So many publishes were let go, as the broker doesn't take packets of their size. */
  dropped(count: number): void;
  /** Something came or went. */
  progress(): void;
  /** The end, once. */
  ended(loss: Loss): void;
}

/** See the top of the file. */
export class Connection {
  readonly #socket: SocketLike;
  readonly #session: Session;
  readonly #hello: WireOptions;
  readonly #clock: Clock;
  readonly #listener: ConnectionListener;
  #keepAlive: KeepAlive | undefined;
  #phase: "opening" | "hello" | "open" | "ended" = "opening";
  #stopTimeout: () => void;
  #stopKeepAlive = () => {};
  /** When keep-alive has to be looked at. */
  #due = Number.POSITIVE_INFINITY;
  #stopPolling: (() => void) | undefined;
  #stopProbe: (() => void) | undefined;

  constructor(
    socket: SocketLike,
    session: Session,
    hello: WireOptions,
    timeout: number,
    clock: Clock,
    listener: ConnectionListener,
  ) {
    this.#socket = socket;
    this.#session = session;
    this.#hello = hello;
    this.#clock = clock;
    this.#listener = listener;
    this.#stopTimeout = clock.after(timeout, () => this.#broken(`there was no answer within ${timeout} ms`));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = ({ data }: { data: unknown }) => this.#received(data);
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#closed(code, reason);
    // The close that follows says more; this listener keeps `ws` from throwing.
    socket.onerror = ({ message }: { message?: string }) => {
      if (message) this.#broken(message);
    };
  }

  #opened(): void {
    if (this.#phase !== "opening") return;
    if (this.#socket.protocol !== SUBPROTOCOL) {
      this.#broken(`what listens there doesn't speak ${SUBPROTOCOL}`);
      return;
    }
    this.#phase = "hello";
    this.#send(connectPacket(this.#hello));
  }

  #received(data: unknown): void {
    if (this.#phase === "ended") return;
    if (!(data instanceof ArrayBuffer)) {
      this.#broken("the broker sent text");
      return;
    }
    this.#stopProbe?.();
    this.#stopProbe = undefined;
    this.#keepAlive?.received(this.#clock.now());
    try {
      for (const packet of readPackets(new Uint8Array(data))) {
        this.#handle(packet);
        if (this.#isEnded()) return;
      }
    } catch (error) {
      this.#end(lossByMalformed(error), Code.malformed);
      return;
    }
    this.pump();
    // A hidden page's timers may come a minute late, its messages come in time.
    if (this.#clock.now() >= this.#due) this.#tend();
    this.#listener.progress();
  }

  /** A method, since the phase may change by what a listener does. */
  #isEnded(): boolean {
    return this.#phase === "ended";
  }

  #handle(packet: BrokerPacket): void {
    if (packet.type === "connected" && this.#phase === "hello") {
      this.#connected(packet);
      return;
    }
    if (packet.type !== "disconnect" && this.#phase !== "open") {
      this.#broken("its first packet is not CONNECTED: it is no Murre broker");
      return;
    }
    const received = this.#session.receive(packet);
    if (received?.type === "notice") this.#listener.notice(received.notice);
    if (received?.type === "disconnect")
      this.#end(lossByBroker(received.code, received.reason, received.retryAfter), 1000);
  }

  #connected(info: Connected): void {
    this.#phase = "open";
    this.#stopTimeout();
    this.#keepAlive = new KeepAlive(info.keepAlive * 1000, this.#clock.now());
    this.#session.connected(info);
    this.#listener.connected(info);
    this.#tend();
  }

  // Sending.

  /** Sends what is due, as far as the socket takes it. */
  pump(): void {
    if (this.#phase !== "open" || this.#stopPolling) return;
    if (this.#session.wantsRestart) {
      this.#broken("messages of the session that were let go here have to be sent again");
      return;
    }
    while (this.#socket.bufferedAmount < BUFFERED_MAX) {
      const { bytes, dropped } = this.#session.takeFrame();
      if (dropped > 0) this.#listener.dropped(dropped);
      if (!bytes || this.#isEnded()) return;
      this.#send(bytes);
      this.#keepAlive?.sent(this.#clock.now());
    }
    this.#stopPolling = this.#clock.after(BUFFERED_POLL, () => {
      this.#stopPolling = undefined;
      this.pump();
      this.#listener.progress();
    });
  }

  #send(bytes: Uint8Array): void {
    try {
      this.#socket.send(bytes);
    } catch (error) {
      this.#broken(`it can't be sent to: ${messageOf(error)}`);
    }
  }

  // Time.

  /** Sees to keep-alive, and sets the timer for the next look. */
  #tend(): void {
    this.#stopKeepAlive();
    if (this.#phase !== "open") return;
    const now = this.#clock.now();
    const due = this.#keepAlive?.poll(now) ?? Number.POSITIVE_INFINITY;
    if (due === "dead") {
      this.#broken("nothing came from the broker for a whole keep-alive");
    } else if (due === "ping") {
      this.#session.ping();
      this.pump();
      this.#tend();
    } else {
      this.#due = due;
      if (Number.isFinite(due)) this.#stopKeepAlive = this.#clock.after(due - now, () => this.#timer(due));
    }
  }

  #timer(due: number): void {
    // After a sleep silence says nothing: the answer to a PING does.
    if (this.#clock.now() - due >= SLEPT) this.probe();
    this.#tend();
  }

  /** The machine slept, or the network may be another one: whether the connection still stands is asked now. */
  probe(): void {
    if (this.#phase !== "open" || this.#stopProbe) return;
    this.#keepAlive?.received(this.#clock.now());
    this.#session.ping();
    this.pump();
    this.#stopProbe = this.#clock.after(PROBE_TIMEOUT, () =>
      this.#broken("nothing came from the broker after a sleep"),
    );
  }

  // The end.

  /** Takes leave: what the socket holds goes out first. */
  leave(): void {
    if (this.#phase === "open") this.#send(disconnectPacket(0, ""));
    this.#end({ code: undefined, reason: "it was closed here", retryAfter: undefined, mayReconnect: false }, 1000);
  }

  #closed(close: number, reason: string): void {
    const code = codeOfClose(close);
    if (code === undefined) this.#broken(`it was closed with ${close}${reason && `: ${reason}`}`);
    else this.#end(lossByBroker(code, reason, undefined), 1000);
  }

  #broken(reason: string): void {
    this.#end({ code: undefined, reason, retryAfter: undefined, mayReconnect: true });
  }

  /** `close`: the code to close with; none where nobody would hear it. */
  #end(loss: Loss, close?: number): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#stopTimeout();
    this.#stopKeepAlive();
    this.#stopPolling?.();
    this.#stopProbe?.();
    try {
      if (close === undefined) this.#socket.close();
      else this.#socket.close(close, shortened(close === 1000 ? "" : loss.reason));
    } catch {
      // It was closed before.
    }
    this.#session.connectionLost();
    this.#listener.ended(loss);
  }
}

function lossByBroker(code: number, reason: string, retryAfter: number | undefined): Loss {
  return { code, reason: describeCode(code, reason), retryAfter, mayReconnect: shouldReconnect(code) };
}

function lossByMalformed(error: unknown): Loss {
  const reason = `the broker sent a packet that can't be read: ${messageOf(error)}`;
  return { code: Code.malformed, reason, retryAfter: undefined, mayReconnect: true };
}

function shortened(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= CLOSE_REASON_BYTES_MAX) return reason;
  // Without the character that the cut may have gone through.
  return new TextDecoder().decode(bytes.subarray(0, CLOSE_REASON_BYTES_MAX)).replace(/\uFFFD+$/, "");
}
