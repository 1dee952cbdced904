// The client's state over all its connections: what is to be sent, and what becomes of what comes.
//
// Pure: no socket and no clock. Methods are of three kinds: the application's (publish, subscribe, …), the
// connection's (connected, takeFrame, receive, connectionLost), and the end.

import type { BrokerPacket, Connected, Disconnect, WireNotice } from "../protocol/from_broker.js";
import { pingPacket, pongPacket, type WireOptions } from "../protocol/to_broker.js";
import type { ChangeSettled } from "./changes.js";
import type { Wanted } from "./entry.js";
import { Frame } from "./frame.js";
import { type Buffer, type Outbound, Outgoing, type Push } from "./outgoing.js";
import { Subscriptions } from "./subscriptions.js";

/** What the broker tells beside everything else. */
export interface Notice {
  /** "dropped", "degraded", "limited", "refused", "expired", "shutdown", or one of a later protocol. */
  kind: string;
  /** The filter of the subscription that it concerns. */
  filter: string | undefined;
  /** How many messages. */
  count: number | undefined;
  /** How many messages by topic. */
  topics: Record<string, unknown> | undefined;
  /** Why, for people. */
  reason: string;
  /** The code of a refusal. */
  code: number | undefined;
}

/** What the connection has to do after a packet. */
export type Received = Disconnect | { type: "notice"; notice: Notice } | undefined;

/** See the top of the file. */
export class Session {
  readonly #outgoing: Outgoing;
  readonly #subscriptions: Subscriptions;
  /** Bytes that the broker of this connection takes; undefined where there is no connection. */
  #limits: { packet: number; message: number } | undefined;
  #clientId: string | undefined;
  #lastPublish = 0;
  #pingDue = false;
  #pongDue = false;

  constructor(buffer: Buffer, clientId: string | undefined, wantsSession: boolean) {
    this.#outgoing = new Outgoing(buffer);
    this.#subscriptions = new Subscriptions(wantsSession);
    this.#clientId = clientId;
  }

  // The application's.

  /** A number for one more acknowledged publish. */
  nextPublish(): number {
    this.#lastPublish += 1;
    return this.#lastPublish;
  }

  /** Takes a publish. */
  publish(outbound: Outbound): Push {
    const tooLarge = this.#limits !== undefined && outbound.packet.length > this.#limits.packet;
    return tooLarge ? "tooLarge" : this.#outgoing.push(outbound);
  }

  /** Takes a publish back that was not sent yet; whether it was still there. */
  unpublish(outbound: Outbound): boolean {
    return this.#outgoing.remove(outbound);
  }

  /** Wants a subscription; its number. Throws SubscribeError. */
  subscribe(wanted: Wanted): number {
    return this.#subscriptions.add(wanted);
  }

  /** Wants other options for a subscription. See Subscriptions. */
  change(sub: number, options: WireOptions, settled: ChangeSettled): void {
    this.#subscriptions.change(sub, options, settled);
  }

  /** Wants a subscription no longer. See Subscriptions. */
  unsubscribe(sub: number, leave: boolean, done: () => void): void {
    this.#subscriptions.remove(sub, leave, done);
  }

  /** A message was handled, and all before it in its shard; whether the broker has to be told. */
  acknowledge(sub: number, run: number, position: number): boolean {
    return this.#subscriptions.acknowledge(sub, run, position);
  }

  /** The client's name, as far as known. */
  get clientId(): string | undefined {
    return this.#clientId;
  }

  /** How many publishes are not known to be through. */
  get pending(): number {
    return this.#outgoing.pending;
  }

  // The connection's.

  /**
   * There is a new connection. The client keeps a name that the broker gave, so that it is the same client when it
   * comes back.
   */
  connected(info: Connected): void {
    const known = (bytes: number) => bytes || Number.POSITIVE_INFINITY;
    this.#limits = { packet: known(info.maxPacket), message: known(info.maxMessage) };
    this.#clientId = info.clientId || this.#clientId;
    this.#subscriptions.connected(info);
  }

  /** A PING has to be sent. */
  ping(): void {
    this.#pingDue = true;
  }

  /**
   * What is to be sent next, as one WebSocket message; undefined when there is nothing. Also how many publishes were let
   * go because the broker doesn't take packets of their size.
   */
  takeFrame(): { bytes: Uint8Array | undefined; dropped: number } {
    if (!this.#limits) return { bytes: undefined, dropped: 0 };
    const frame = new Frame(this.#limits.message, this.#limits.packet);
    if (this.#pongDue) frame.add(pongPacket());
    if (this.#pingDue) frame.add(pingPacket());
    this.#pongDue = false;
    this.#pingDue = false;
    this.#subscriptions.take(frame);
    // A subscription is not overtaken by what is published after it.
    const dropped = this.#subscriptions.hasRequests ? 0 : this.#outgoing.take(frame);
    return { bytes: frame.isEmpty ? undefined : frame.bytes(), dropped };
  }

  /** Whether the connection has to be made again, for the broker to send again what was let go here. */
  get wantsRestart(): boolean {
    return this.#subscriptions.wantsRestart;
  }

  /** Whether nothing is left to send or to be answered. */
  get isFlushed(): boolean {
    return this.#outgoing.pending === 0 && !this.#subscriptions.hasRequests && !this.#subscriptions.hasAcks;
  }

  /** A packet came. */
  receive(packet: BrokerPacket): Received {
    switch (packet.type) {
      case "message":
        this.#subscriptions.message(packet);
        return undefined;
      case "published": {
        const { id, code, position, reason = "" } = packet;
        const outcome =
          code === 0 ? ({ kind: "accepted", position } as const) : ({ kind: "refused", code, reason } as const);
        this.#outgoing.answered(id)?.settle(outcome);
        return undefined;
      }
      case "subscribed":
        this.#subscriptions.subscribed(packet);
        return undefined;
      case "unsubscribed":
        this.#subscriptions.unsubscribed(packet.sub);
        return undefined;
      case "caught_up":
        this.#subscriptions.caughtUp(packet);
        return undefined;
      case "notice":
        return { type: "notice", notice: this.#notice(packet) };
      case "ping":
        this.#pongDue = true;
        return undefined;
      case "disconnect":
        return packet;
      default:
        return undefined;
    }
  }

  #notice({ kind, sub, count, topics, reason, code }: WireNotice): Notice {
    const filter = sub === undefined ? undefined : this.#subscriptions.filter(sub);
    const isLoss = kind === "dropped" || kind === "limited";
    if (isLoss && sub !== undefined) this.#subscriptions.dropped(sub, count ?? 0);
    return { kind, filter, count, topics, reason, code };
  }

  /** The connection is gone; a new one will be told everything that matters again. */
  connectionLost(): void {
    this.#limits = undefined;
    this.#pingDue = false;
    this.#pongDue = false;
    this.#outgoing.connectionLost();
    this.#subscriptions.connectionLost();
  }

  // The end.

  /** The client has ended, with an error where it ended by itself. Everything that waits is told. */
  end(error: Error | undefined): void {
    this.connectionLost();
    this.#outgoing.drain();
    this.#subscriptions.end(error);
  }
}
