// A subscription as an application holds it.

import { given } from "./checks.js";
import type { Sink } from "./core/item.js";
import type { Recovery, ResumePoint } from "./core/resume.js";
import type { Session } from "./core/session.js";
import { SubscribeError } from "./errors.js";
import { Feed, type FeedEvents } from "./feed.js";
import type { Message } from "./message.js";
import {
  type From,
  type SubscribeOptions,
  subscribeOptions,
  type UpdateOptions,
  updateOptions,
  type ViewInForce,
  viewInForce,
} from "./options.js";
import { Emitter, type ListenOptions, type Unlisten } from "./shell/emitter.js";
import { deferred, onAbort } from "./shell/promises.js";

/** What a subscription needs from its client. */
export interface Host {
  session: Session;
  /** There is something to be sent. */
  wake(): void;
  /** There is an acknowledgement to be sent. */
  wakeForAck(): void;
  /** A listener threw. */
  report(error: unknown): void;
  /** Throws ClosedError where the client takes nothing new. */
  refuseIfClosed(): void;
}

/**
 * Messages of a filter, over all connections: `for await (const message of subscription)`, or `on("message", …)`, not
 * both. Messages wait from the beginning for whichever comes first.
 */
export class Subscription<T = unknown> implements AsyncIterable<Message<T>> {
  /** The filter, as it was given. */
  readonly filter: string;
  /** Resolves when the broker has granted the subscription; rejects where it refused. May be left alone. */
  readonly ready: Promise<void>;
  readonly #host: Host;
  readonly #emitter: Emitter<FeedEvents<T>>;
  readonly #feed: Feed<T>;
  readonly #granted = deferred<void>();
  readonly #caughtUp = deferred<boolean>();
  readonly #closed = deferred<void>();
  #sub: number | undefined;
  #dropped = 0;
  #recovery: Recovery | undefined;
  #view: Readonly<ViewInForce> | undefined;
  #error: Error | undefined;
  #ended = false;
  #stopSignal = () => {};

  /** Made by `Client.subscribe`. */
  constructor(host: Host, filter: string, options: SubscribeOptions) {
    this.filter = given("filter", filter, "a string");
    this.ready = this.#granted.promise;
    this.#host = host;
    this.#emitter = new Emitter(host.report);
    const point = pointOf(options.from);
    const { ack, patch, queue } = options;
    this.#feed = new Feed<T>(
      {
        emit: (name, argument) => this.#emit(name, argument),
        acknowledge: (run, position) => this.#acknowledge(run, position),
        overflow: (messages) => this.#overflow(messages),
      },
      { ack, patch, queue },
      point,
    );
    this.#begin(options, point);
  }

  #begin(options: SubscribeOptions, after: ResumePoint | undefined): void {
    try {
      this.#host.refuseIfClosed();
      this.#sub = this.#host.session.subscribe({
        filter: this.filter,
        options: subscribeOptions(options),
        ack: Boolean(options.ack),
        after,
        resumes: options.resume === true || after !== undefined,
        sink: this.#sink(),
      });
    } catch (error) {
      // A wrong option is the caller's error; a client that has ended ends the subscription.
      if (error instanceof TypeError) throw error;
      this.#end(error as Error, false);
      return;
    }
    this.#stopSignal = onAbort(options.signal, (reason) => {
      this.#granted.reject(reason);
      this.#leave();
    });
    this.#host.wake();
  }

  #sink(): Sink {
    return {
      granted: (view) => {
        this.#view = view && viewInForce(view);
        this.#granted.resolve();
      },
      deliver: (item) => {
        if (item.kind === "caughtUp") this.#caughtUp.resolve(true);
        if (item.kind === "resumed") this.#recovery = item.recovery;
        this.#feed.deliver(item);
      },
      forgetUnacknowledged: () => this.#feed.forgetUnacknowledged(),
      dropped: (count) => this.#emit("dropped", count),
      end: (error) => this.#end(error, false),
    };
  }

  #emit<K extends keyof FeedEvents<T>>(name: K, argument: FeedEvents<T>[K]): void {
    if (name === "dropped") this.#dropped += argument as number;
    this.#emitter.emit(name, argument);
  }

  // Reading.

  /**
   * Calls `listener` from now on; gives what takes it off. A listener of "message" reads the subscription and gets what
   * has been waiting, too; where it is taken off, messages go to nobody. One that throws harms nobody: see the client's
   * event "error".
   */
  on<K extends keyof FeedEvents<T>>(
    name: K,
    listener: (argument: FeedEvents<T>[K]) => unknown,
    options?: ListenOptions,
  ): Unlisten {
    if (name === "message") this.#feed.flow();
    return this.#emitter.on(name, listener, options);
  }

  /** Messages, one after the other. Leaving the loop ends the subscription. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>, undefined> {
    const iterator: AsyncIterableIterator<Message<T>, undefined> = {
      next: () => this.#feed.next(),
      return: () => {
        this.#leave();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * Resolves when all that the broker kept for this subscription has come (it may be waiting still): true, or false
   * where the subscription ended first.
   */
  caughtUp(): Promise<boolean> {
    return this.#caughtUp.promise;
  }

  /** How many messages were left out: by the broker, as its notices say, and here. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How it went when the subscription last went on from a point; undefined where it never did. */
  get recovery(): Recovery | undefined {
    return this.#recovery;
  }

  /** The view in force, as the broker says: what was asked for, revised where a limit demanded it. */
  get view(): Readonly<ViewInForce> | undefined {
    return this.#view;
  }

  /**
   * Changes options while the subscription runs, such as `maxRate` when a plot gets wider; what isn't named stays, and
   * null takes an option of the view away.
   * Resolves when the broker has the change in force; rejects where it refused, and the options stay as they were.
   */
  update(options: UpdateOptions): Promise<void> {
    const changed = deferred<void>();
    const settled = (error: Error | undefined) => (error ? changed.reject(error) : changed.resolve());
    if (this.#sub === undefined || this.#ended) {
      settled(new SubscribeError(this.filter, "has ended"));
    } else {
      this.#host.session.change(this.#sub, updateOptions(options), settled);
      this.#host.wake();
    }
    return changed.promise;
  }

  /**
   * Where to go on behind the last message that was taken here, in this program or a later one: for `from`. Undefined
   * before CAUGHT_UP was passed, and again after a restart of the subscription until the next.
   */
  get resumePoint(): ResumePoint | undefined {
    return this.#feed.point;
  }

  /** Why the subscription ended by itself; undefined while it goes on, and where it was ended here. */
  get error(): Error | undefined {
    return this.#error;
  }

  // Acknowledging.

  /** As `message.ack()`, by the position of a message that was taken. */
  acknowledge(position: number): void {
    this.#acknowledge(this.#feed.run, position);
  }

  #acknowledge(run: number, position: number): void {
    if (this.#sub !== undefined && this.#host.session.acknowledge(this.#sub, run, position)) this.#host.wakeForAck();
  }

  #overflow(messages: number): void {
    const what = `ended: ${messages} messages wait here, and none of an acknowledged subscription may be left out; read faster, or set a larger queue`;
    this.#unsubscribe(true);
    this.#end(new SubscribeError(this.filter, what), false);
  }

  // The end.

  /** Ends the subscription, in a session too; resolves when the broker knows. Messages that were not taken are let go. */
  close(): Promise<void> {
    this.#unsubscribe(false);
    this.#end(undefined, true);
    return this.#closed.promise;
  }

  /** Ends it here; an acknowledged one stays in the session, where there is one. */
  #leave(): void {
    this.#unsubscribe(true);
    this.#end(undefined, true);
  }

  #unsubscribe(leave: boolean): void {
    const sub = this.#sub;
    this.#sub = undefined;
    if (sub === undefined) return;
    this.#host.session.unsubscribe(sub, leave, () => this.#closed.resolve());
    this.#host.wake();
  }

  #end(error: Error | undefined, discard: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#stopSignal();
    this.#granted.reject(error ?? new SubscribeError(this.filter, "was ended before the broker granted it"));
    this.#caughtUp.resolve(false);
    if (this.#sub === undefined || error) this.#closed.resolve();
    this.#feed.end(error, discard);
  }
}

function pointOf(from: From | undefined): ResumePoint | undefined {
  return typeof from === "object" && "after" in from ? from : undefined;
}
