// One wanted subscription, over all connections.

import type { Subscribed } from "../protocol/from_broker.js";
import { subscribePacket, type WireOptions } from "../protocol/to_broker.js";
import { Changes } from "./changes.js";
import type { Item, Sink } from "./item.js";
import { keepsTheList, type Recovery, type ResumePoint, Tracker } from "./resume.js";

/** The options that make a view. Where one of them changes, all are sent: they take the place of the whole view. */
const VIEW_KEYS = ["max_rate", "where", "select", "deadband", "window", "patch", "expect", "on_error"];
/** A view that changes nothing. */
const NO_VIEW: WireOptions = { patch: false };

/** A subscription as it is wanted. */
export interface Wanted {
  filter: string;
  /** Under the protocol's names. */
  options: WireOptions;
  /** Whether messages are acknowledged. */
  ack: boolean;
  /** Where to go on, known from elsewhere; goes before `from` in the options. */
  after: ResumePoint | undefined;
  /** A new connection goes on where the last one ended. */
  resumes: boolean;
  sink: Sink;
}

/** See the top of the file. */
export class Entry {
  readonly wanted: Wanted;
  /** Changes of the options, to be sent when it is granted. */
  readonly changes = new Changes();
  readonly #tracker: Tracker;
  #options: WireOptions;
  #run = 0;
  /** Whether the broker was told on this connection, or knows from the session. */
  asked = false;
  #askedAfter = false;
  /** Whether it was ever granted, and whether it is on this connection. */
  #wasGranted = false;
  #isGranted = false;

  constructor(wanted: Wanted) {
    this.wanted = wanted;
    this.#options = wanted.options;
    this.#tracker = new Tracker(wanted.after);
  }

  /** The run of what comes now. */
  get run(): number {
    return this.#run;
  }

  /** SUBSCRIBE for a connection; `goesOn`: the session may have it, which goes before where it was to begin. */
  packet(sub: number, goesOn: boolean): Uint8Array {
    const after = goesOn ? undefined : this.#tracker.point;
    this.#askedAfter = after !== undefined;
    const options = goesOn || after ? { ...this.#options, from: after } : this.#options;
    return subscribePacket(sub, this.wanted.filter, options);
  }

  /** SUBSCRIBE that changes options in place; undefined where there is nothing to change now. */
  changePacket(sub: number): Uint8Array | undefined {
    const change = this.changes.due;
    if (!change) return undefined;
    const { on_slow } = change;
    const isView = VIEW_KEYS.some((key) => key in change);
    const options = { on_slow, ...(isView && viewOf({ ...this.#options, ...change })) };
    return subscribePacket(sub, this.wanted.filter, options);
  }

  /** The broker answered a change, which it granted where there is no error. */
  changed(answer: Subscribed, error: Error | undefined): void {
    const options = this.changes.answered(error);
    if (!options) return;
    this.#options = withoutNulls({ ...this.#options, ...options });
    this.#grant(answer.view);
  }

  /** The connection is gone. */
  connectionLost(): void {
    this.asked = false;
    this.#isGranted = false;
    this.changes.connectionLost();
  }

  /** Whether a change is to be sent. */
  get hasChange(): boolean {
    return this.#isGranted && this.changes.due !== undefined;
  }

  /** The session goes on, and with it this subscription. */
  goesOn(): void {
    this.asked = true;
    this.wanted.sink.forgetUnacknowledged();
    this.#grant(undefined);
  }

  /** The broker granted it. */
  subscribed(answer: Subscribed): void {
    const again = this.#wasGranted;
    if (this.#askedAfter) {
      const recovery = recoveryOf(answer);
      if (!keepsTheList(recovery)) this.#beginRun();
      this.deliver({ kind: "resumed", run: this.#run, recovery });
    } else if (again) {
      this.#beginRun();
      this.deliver({ kind: "restarted", run: this.#run });
    }
    this.#grant(answer.view);
  }

  #grant(view: Record<string, unknown> | undefined): void {
    this.#wasGranted = true;
    this.#isGranted = true;
    this.wanted.sink.granted(view);
  }

  #beginRun(): void {
    this.#run += 1;
    this.#tracker.begin(this.#run);
  }

  /** Hands on what came. */
  deliver(item: Item): void {
    if (this.wanted.resumes && item.kind === "message") this.#tracker.message(this.#run, item.message.position);
    if (this.wanted.resumes && item.kind === "caughtUp") this.#tracker.caughtUp(this.#run, item.point);
    this.wanted.sink.deliver(item);
  }
}

function recoveryOf(answer: Subscribed): Recovery {
  if (answer.recovered) return { recovered: true };
  return answer.lost === undefined ? { recovered: false } : { recovered: false, lost: answer.lost };
}

/** The view's part of options, a null of which takes one away. */
function viewOf(options: WireOptions): WireOptions {
  const view = withoutNulls(Object.fromEntries(VIEW_KEYS.map((key) => [key, options[key]])));
  return Object.keys(view).length > 0 ? view : NO_VIEW;
}

function withoutNulls(options: WireOptions): WireOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== undefined));
}
