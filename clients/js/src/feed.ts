// Between a subscription and its reader: who reads, what waits meanwhile, and what is passed to listeners.

import { type Item, weightOf } from "./core/item.js";
import { Patches } from "./core/patches.js";
import { Queue } from "./core/queue.js";
import { type Recovery, type ResumePoint, Tracker } from "./core/resume.js";
import { Message } from "./message.js";
import { type Deferred, deferred } from "./shell/promises.js";

/** Messages that wait for the reader where it isn't said. */
const QUEUE_MESSAGES = 16_384;
/** Bytes that wait for the reader. */
const QUEUE_BYTES_MAX = 64 * 1024 * 1024;

/** What a feed tells, each in its place among the messages. */
export interface FeedEvents<T> {
  /** A message; whoever listens reads the subscription. */
  message: Message<T>;
  /** All that the broker kept for the subscription has come; what follows is live. */
  caughtUp: { point: ResumePoint; count: number };
  /** The subscription went on from a point. */
  resumed: Recovery;
  /** The subscription began again on a new connection; what was published meanwhile may be missing, or come again. */
  restarted: undefined;
  /** So many more messages were left out, by the broker or here. */
  dropped: number;
  /** Nothing comes any more; with an error where the subscription ended by itself. */
  end: Error | undefined;
}

/** What a feed needs from its subscription. */
export interface FeedHost<T> {
  emit<K extends keyof FeedEvents<T>>(name: K, argument: FeedEvents<T>[K]): void;
  /** A message of `run` was handled, and all before it in its shard. */
  acknowledge(run: number, position: number): void;
  /** The queue of an acknowledged subscription is full: it can't go on without losing what the broker would keep. */
  overflow(messages: number): void;
}

/** How a feed is to behave. */
export interface FeedOptions {
  ack: boolean | "explicit" | undefined;
  patch: boolean | undefined;
  queue: number | undefined;
}

/** See the top of the file. */
export class Feed<T> {
  readonly #host: FeedHost<T>;
  readonly #ack: boolean | "explicit" | undefined;
  readonly #queue: Queue<Message<T>>;
  readonly #queueMax: number;
  readonly #patches: Patches | undefined;
  readonly #tracker: Tracker;
  /** Messages go to listeners, and none waits. */
  #flows = false;
  readonly #readers: Deferred<IteratorResult<Message<T>, undefined>>[] = [];
  /** Handed to the reader, and handled when the next one is asked for. */
  #taken: { run: number; position: number } | undefined;
  #ended: { error: Error | undefined } | undefined;

  constructor(host: FeedHost<T>, { ack, patch, queue }: FeedOptions, point: ResumePoint | undefined) {
    this.#host = host;
    this.#ack = ack;
    this.#queueMax = Math.max(1, queue ?? QUEUE_MESSAGES);
    this.#queue = new Queue({ messages: this.#queueMax, bytes: QUEUE_BYTES_MAX });
    this.#patches = patch ? new Patches() : undefined;
    this.#tracker = new Tracker(point);
  }

  /** Behind the last message that was taken. */
  get point(): ResumePoint | undefined {
    return this.#tracker.point;
  }

  /** The run of what was taken last. */
  get run(): number {
    return this.#tracker.run;
  }

  // What comes in.

  /** Takes what the broker sent. */
  deliver(wire: Item): void {
    if (this.#ended) return;
    const item = this.#readable(wire);
    if (!item) return;
    if (this.#flows && this.#queue.length === 0) {
      this.#flow(item);
    } else if (item.kind === "message" && this.#readers.length > 0) {
      this.#readers.shift()?.resolve({ done: false, value: this.#take(item.run, item.message) });
    } else if (item.kind !== "message" && this.#queue.length === 0) {
      this.#pass(item);
    } else {
      this.#enqueue(item, weightOf(wire));
    }
  }

  /** The item with its message as the application gets it; undefined where there is nothing to give. */
  #readable(item: Item): Item<Message<T>> | undefined {
    if (item.kind === "restarted" || item.kind === "resumed") this.#patches?.clear();
    if (item.kind !== "message") return item;
    const { run, message: wire } = item;
    const whole = this.#patches?.apply(wire);
    if (whole?.kind === "unknown") {
      this.#host.emit("dropped", 1);
      return undefined;
    }
    const acknowledge = this.#ack ? () => this.#host.acknowledge(run, wire.position) : undefined;
    const shared = whole?.kind === "value" ? whole : undefined;
    return { kind: "message", run, message: new Message<T>(wire, acknowledge, shared) };
  }

  #enqueue(item: Item<Message<T>>, bytes: number): void {
    if (this.#ack && !this.#queue.hasRoom(item, bytes)) {
      // To leave one out would acknowledge it with the next one.
      this.#host.overflow(this.#queueMax);
      return;
    }
    let dropped = 0;
    for (const gone of this.#queue.push(item, bytes)) {
      if (gone.kind === "message") dropped += 1;
      else this.#pass(gone);
    }
    if (dropped > 0) this.#host.emit("dropped", dropped);
  }

  /** What was delivered and not acknowledged comes again. */
  forgetUnacknowledged(): void {
    this.#queue.clear();
    this.#patches?.clear();
  }

  // What goes out.

  /** From now on messages go to listeners; what waits does so as soon as the running task is through. */
  flow(): void {
    if (this.#readers.length > 0) throw new TypeError("a subscription that is iterated has no message listeners");
    this.#flows = true;
    queueMicrotask(() => {
      for (let item = this.#queue.shift(); item; item = this.#queue.shift()) this.#flow(item);
    });
  }

  #flow(item: Item<Message<T>>): void {
    if (item.kind !== "message") {
      this.#pass(item);
      return;
    }
    this.#tracker.message(item.run, item.message.position);
    this.#host.emit("message", item.message);
    if (this.#ack === true) this.#host.acknowledge(item.run, item.message.position);
  }

  /** The next message. Rejects where the subscription ended by itself. */
  next(): Promise<IteratorResult<Message<T>, undefined>> {
    const reader = deferred<IteratorResult<Message<T>, undefined>>();
    // Who asks for the next has handled the last.
    if (this.#taken) this.#host.acknowledge(this.#taken.run, this.#taken.position);
    this.#taken = undefined;
    const message = this.#flows ? undefined : this.#shift();
    if (this.#flows) reader.reject(new TypeError("a subscription with message listeners can't be iterated"));
    else if (message) reader.resolve({ done: false, value: message });
    else if (this.#ended) settleAtEnd(reader, this.#ended.error);
    else this.#readers.push(reader);
    return reader.promise;
  }

  /** The oldest message that waits; what came before it is passed on. */
  #shift(): Message<T> | undefined {
    for (let item = this.#queue.shift(); item; item = this.#queue.shift()) {
      if (item.kind === "message") return this.#take(item.run, item.message);
      this.#pass(item);
    }
    return undefined;
  }

  #take(run: number, message: Message<T>): Message<T> {
    this.#tracker.message(run, message.position);
    if (this.#ack === true) this.#taken = { run, position: message.position };
    return message;
  }

  #pass(item: Item<Message<T>>): void {
    if (item.kind === "message") return;
    if (item.kind === "caughtUp") this.#tracker.caughtUp(item.run, item.point);
    else this.#tracker.begin(item.run);
    if (item.kind === "caughtUp") this.#host.emit("caughtUp", { point: item.point, count: item.count });
    else if (item.kind === "resumed") this.#host.emit("resumed", item.recovery);
    else this.#host.emit("restarted", undefined);
  }

  /** Nothing comes any more. What waits may still be taken, unless `discard`. */
  end(error: Error | undefined, discard: boolean): void {
    if (this.#ended) return;
    this.#ended = { error };
    if (discard) this.#queue.clear();
    for (const reader of this.#readers.splice(0)) settleAtEnd(reader, error);
    this.#host.emit("end", error);
  }
}

function settleAtEnd<T>(reader: Deferred<IteratorResult<T, undefined>>, error: Error | undefined): void {
  if (error) reader.reject(error);
  else reader.resolve({ done: true, value: undefined });
}
