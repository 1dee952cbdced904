// Which subscriptions there are, and what the broker has to be told about them.
//
// Pure. A subscription lives from add() to remove() or a refusal, over any number of connections: each new connection
// is told all of them again, but for those that the broker kept with the session.

import { SubscribeError } from "../errors.js";
import type { CaughtUp, Connected, Subscribed, WireMessage } from "../protocol/from_broker.js";
import { unsubscribePacket, type WireOptions } from "../protocol/to_broker.js";
import { Acks } from "./acks.js";
import type { ChangeSettled } from "./changes.js";
import { Entry, type Wanted } from "./entry.js";
import type { Frame } from "./frame.js";
import type { Item } from "./item.js";
import { KEPT_FROM, keptNumber } from "./kept_number.js";
import { Orphans } from "./orphans.js";

/** The most subscriptions that a client may have at a time. */
const SUBSCRIPTIONS_MAX = 65_536;

/** See the top of the file. */
export class Subscriptions {
  /** Whether the application wants a session. */
  readonly #wantsSession: boolean;
  readonly #entries = new Map<number, Entry>();
  readonly #acks = new Acks();
  readonly #orphans = new Orphans();
  /** Not asked for on this connection yet, in the order in which they were made. */
  readonly #toAsk = new Set<number>();
  /** Whose options are to be changed. */
  readonly #toChange = new Set<number>();
  /** Asked for on this connection, and no longer wanted: to be told, and told with no answer yet. */
  readonly #toEnd = new Set<number>();
  readonly #ending = new Map<number, () => void>();
  /** Those of the session that are to be ended as soon as there is a connection. */
  readonly #toEndLater = new Set<number>();
  /** Granted subscriptions that are part of the session. */
  readonly #kept = new Set<number>();
  #lastId = 0;
  #epoch = "";
  /** Whether the broker keeps a session. */
  #hasSession = false;
  /** Whether there may be subscriptions of an earlier program in the session. */
  #inherited = false;
  #wasConnected = false;
  #restartWanted = false;

  constructor(wantsSession: boolean) {
    this.#wantsSession = wantsSession;
  }

  /** Wants one more; its number. Throws SubscribeError past the bound. */
  add(wanted: Wanted): number {
    if (this.#entries.size >= SUBSCRIPTIONS_MAX) {
      throw new SubscribeError(wanted.filter, `is one too many: a client may have ${SUBSCRIPTIONS_MAX}`);
    }
    const sub = this.#number(wanted);
    const entry = new Entry(wanted);
    this.#entries.set(sub, entry);
    this.#toAsk.add(sub);
    const held = this.#orphans.take(sub);
    if (held === "letGo") this.#restartWanted = true;
    else for (const item of held ?? []) entry.deliver(item);
    return sub;
  }

  #number(wanted: Wanted): number {
    // Shared subscriptions are no part of a session.
    const isKept = this.#wantsSession && wanted.ack && !wanted.filter.startsWith("$share/");
    if (isKept) return keptNumber(wanted.filter, (sub) => this.#entries.has(sub));
    this.#lastId += 1;
    return this.#lastId;
  }

  /** Wants other options for `sub`, those that are named; told by `settled` what becomes of it. */
  change(sub: number, options: WireOptions, settled: ChangeSettled): void {
    const entry = this.#entries.get(sub);
    entry?.changes.want(options, settled);
    this.#seeToChange(sub, entry);
  }

  #seeToChange(sub: number, entry: Entry | undefined): void {
    if (entry?.hasChange) this.#toChange.add(sub);
  }

  /**
   * Wants one no longer; `leave`: it stays in the session, where there is one. `done` is called when the broker knows,
   * or at once where it needs not be told.
   */
  remove(sub: number, leave: boolean, done: () => void): void {
    const entry = this.#entries.get(sub);
    this.#entries.delete(sub);
    this.#toAsk.delete(sub);
    entry?.changes.end(new SubscribeError(entry.wanted.filter, "has ended"));
    if (!entry) {
      done();
    } else if (leave && sub >= KEPT_FROM && (this.#hasSession || !entry.asked)) {
      if (entry.asked) this.#orphans.letGo(sub);
      done();
    } else {
      this.#end(sub, entry, done);
    }
  }

  #end(sub: number, entry: Entry, done: () => void): void {
    this.#acks.forget(sub);
    const kept = this.#kept.delete(sub);
    if (entry.asked) {
      this.#toEnd.add(sub);
      this.#ending.set(sub, done);
      return;
    }
    if (kept) this.#toEndLater.add(sub);
    done();
  }

  /** A message of `sub` in its run was handled, and all before it; whether the broker has to be told. */
  acknowledge(sub: number, run: number, position: number): boolean {
    const entry = this.#entries.get(sub);
    return entry?.wanted.ack === true && entry.run === run && this.#acks.acknowledge(sub, position);
  }

  /** Writes the packets that are due, as long as the frame has room. */
  take(frame: Frame): void {
    for (const sub of this.#toEnd) {
      if (!frame.offer(unsubscribePacket(sub))) return;
      this.#toEnd.delete(sub);
    }
    for (const sub of this.#toAsk) {
      if (!this.#ask(sub, frame)) return;
    }
    for (const sub of this.#toChange) {
      if (!this.#tellChange(sub, frame)) return;
    }
    this.#acks.take(frame);
  }

  /** Whether the next one may be asked for, too. */
  #ask(sub: number, frame: Frame): boolean {
    const entry = this.#entries.get(sub);
    const packet = entry?.packet(sub, this.#inherited && sub >= KEPT_FROM);
    if (entry && packet) {
      if (packet.length > frame.packetMax) {
        this.#fail(sub, SubscribeError.tooLarge(entry.wanted.filter, packet.length, frame.packetMax));
        return true;
      }
      if (!frame.offer(packet)) return false;
      entry.asked = true;
    }
    this.#toAsk.delete(sub);
    return true;
  }

  /** Whether the next change may be told, too. */
  #tellChange(sub: number, frame: Frame): boolean {
    const entry = this.#entries.get(sub);
    const packet = entry?.changePacket(sub);
    if (entry && packet) {
      const isTooLarge = packet.length > frame.packetMax;
      if (!isTooLarge && !frame.offer(packet)) return false;
      entry.changes.sent();
      if (isTooLarge) {
        entry.changes.answered(SubscribeError.tooLarge(entry.wanted.filter, packet.length, frame.packetMax));
      }
    }
    this.#toChange.delete(sub);
    // What was wanted while another change was on its way, where that failed just now.
    this.#seeToChange(sub, entry);
    return true;
  }

  /** Whether the broker has to be told something, acknowledgements left aside. */
  get hasRequests(): boolean {
    return this.#toEnd.size > 0 || this.#toAsk.size > 0 || this.#toChange.size > 0;
  }

  /** Whether there are acknowledgements to be sent. */
  get hasAcks(): boolean {
    return this.#acks.isDue;
  }

  /** Whether a new connection is needed, for the broker to send again what was let go here. */
  get wantsRestart(): boolean {
    return this.#restartWanted;
  }

  // What the broker says.

  /** There is a new connection. */
  connected(info: Connected): void {
    this.#epoch = info.epoch;
    this.#hasSession = info.sessionExpiry > 0;
    this.#restartWanted = false;
    this.#orphans.clear();
    if (info.sessionPresent) {
      this.#inherited ||= !this.#wasConnected;
      this.#sessionGoesOn();
    } else {
      this.#inherited = false;
      this.#kept.clear();
      this.#toEndLater.clear();
      this.#acks.forgetAll();
    }
    this.#wasConnected = true;
  }

  #sessionGoesOn(): void {
    for (const sub of this.#toEndLater) this.#toEnd.add(sub);
    this.#toEndLater.clear();
    for (const sub of this.#kept) {
      this.#toAsk.delete(sub);
      const entry = this.#entries.get(sub);
      entry?.goesOn();
      this.#seeToChange(sub, entry);
    }
    this.#acks.repeat();
  }

  /** The broker granted or refused one. A refusal ends it. */
  subscribed(answer: Subscribed): void {
    const { sub, code } = answer;
    const entry = this.#entries.get(sub);
    if (!entry) return;
    const error = code === 0 ? undefined : refusal(entry, answer);
    if (entry.changes.isSent) {
      entry.changed(answer, error);
    } else if (error) {
      this.#fail(sub, error);
      return;
    } else {
      if (this.#hasSession && sub >= KEPT_FROM) this.#kept.add(sub);
      entry.subscribed(answer);
    }
    this.#seeToChange(sub, entry);
  }

  #fail(sub: number, error: SubscribeError): void {
    const entry = this.#entries.get(sub);
    this.#entries.delete(sub);
    this.#toAsk.delete(sub);
    this.#kept.delete(sub);
    this.#acks.forget(sub);
    entry?.changes.end(error);
    entry?.wanted.sink.end(error);
  }

  /** The broker ended one as it was told to. */
  unsubscribed(sub: number): void {
    this.#ending.get(sub)?.();
    this.#ending.delete(sub);
  }

  /** A message came. */
  message(message: WireMessage): void {
    const entry = this.#entries.get(message.sub);
    this.#deliver(message.sub, entry, { kind: "message", run: entry?.run ?? 0, message });
  }

  /** All kept messages of one came. */
  caughtUp({ sub, positions, count }: CaughtUp): void {
    const entry = this.#entries.get(sub);
    const point = { after: positions, epoch: this.#epoch };
    this.#deliver(sub, entry, { kind: "caughtUp", run: entry?.run ?? 0, point, count });
  }

  #deliver(sub: number, entry: Entry | undefined, item: Item): void {
    if (entry) entry.deliver(item);
    else if (this.#mayBeAskedForLater(sub)) this.#orphans.hold(sub, item);
  }

  /** Whether `sub`, which has no place here, is part of the session and stays in it. */
  #mayBeAskedForLater(sub: number): boolean {
    return sub >= KEPT_FROM && this.#wantsSession && !this.#ending.has(sub) && !this.#toEnd.has(sub);
  }

  /** The broker left out messages of one. */
  dropped(sub: number, count: number): void {
    this.#entries.get(sub)?.wanted.sink.dropped(count);
  }

  /** The filter of `sub`. */
  filter(sub: number): string | undefined {
    return this.#entries.get(sub)?.wanted.filter;
  }

  /** The connection is gone, and what the broker knew of it but for the session. */
  connectionLost(): void {
    for (const sub of [...this.#toEnd, ...this.#ending.keys()]) {
      if (sub >= KEPT_FROM) this.#toEndLater.add(sub);
    }
    this.#toEnd.clear();
    for (const done of this.#ending.values()) done();
    this.#ending.clear();
    this.#toAsk.clear();
    this.#toChange.clear();
    for (const [sub, entry] of this.#entries) {
      entry.connectionLost();
      this.#toAsk.add(sub);
    }
  }

  /** The client has ended, and so do all subscriptions; with an error where it ended by itself. */
  end(error: Error | undefined): void {
    this.connectionLost();
    this.#toAsk.clear();
    this.#acks.forgetAll();
    this.#orphans.clear();
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { changes, wanted } of entries) {
      changes.end(error ?? new SubscribeError(wanted.filter, "has ended"));
      wanted.sink.end(error);
    }
  }
}

function refusal(entry: Entry, { code, reason, rule }: Subscribed): SubscribeError {
  return SubscribeError.refused(entry.wanted.filter, code, reason ?? "", rule);
}
