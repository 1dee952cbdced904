// A client of a broker, over all its connections.

import { given } from "./checks.js";
import type { Outbound, Outcome } from "./core/outgoing.js";
import { type Notice, Session } from "./core/session.js";
import { ClosedError, describeCode, messageOf, PublishError } from "./errors.js";
import type { Message } from "./message.js";
import { type ConnectOptions, type PublishOptions, publishOptions, type SubscribeOptions } from "./options.js";
import { PresenceStream, presenceFilter } from "./presence.js";
import { encodePayload, formatNumber, type Payload } from "./protocol/payload.js";
import { publishPacket } from "./protocol/to_broker.js";
import { type RequestOptions, Requests } from "./requests.js";
import { type Responder, type RespondOptions, respondTo } from "./responder.js";
import { type Clock, systemClock } from "./shell/clock.js";
import { type Config, configure } from "./shell/config.js";
import { Emitter, type ListenOptions, type Unlisten } from "./shell/emitter.js";
import { Link } from "./shell/link.js";
import { type Deferred, deferred, onAbort, quiet } from "./shell/promises.js";
import type { ClientState, ConnectionInfo } from "./shell/state.js";
import { watchWakes } from "./shell/wake.js";
import { type Host, Subscription } from "./subscription.js";

/** What a client tells. */
export interface ClientEvents {
  /** Another state. */
  state: ClientState;
  /** The broker tells something. */
  notice: Notice;
  /** So many publishes were left out: the buffer was full, or the broker doesn't take packets of their size. */
  dropped: number;
  /** A listener threw, or rejected. Where nobody listens to this, it goes to the console. */
  error: unknown;
}

/** What becomes of a publish that was taken. */
export interface Published {
  /** The message's position in the broker's order; undefined without `ack`. */
  position: number | undefined;
}

/**
 * A client of a broker: from `connect`. Every promise that it gives may be left alone; none makes an unhandled rejection.
 */
export class Client {
  readonly #config: Config;
  readonly #session: Session;
  readonly #link: Link;
  readonly #emitter = new Emitter<ClientEvents>((error) => this.#report(error));
  readonly #host: Host;
  readonly #requests: Requests;
  readonly #connected: Set<Deferred<ConnectionInfo>> = new Set();
  readonly #closed = deferred<number>();
  #stopWatching = () => {};
  #stopSignal = () => {};

  /** See `connect`. */
  constructor(url: string | URL, options: ConnectOptions = {}, clock: Clock = systemClock) {
    this.#config = configure(url, options);
    const { buffer, clientId, sessionExpiry } = this.#config;
    this.#session = new Session(buffer, clientId, sessionExpiry > 0);
    this.#link = new Link(this.#config, this.#session, clock, {
      state: (state) => this.#stateChanged(state),
      notice: (notice) => this.#emitter.emit("notice", notice),
      dropped: (count) => this.#emitter.emit("dropped", count),
    });
    this.#host = {
      session: this.#session,
      wake: () => this.#link.wake(),
      wakeForAck: () => this.#link.wakeForAck(),
      report: (error) => this.#report(error),
      refuseIfClosed: () => this.#refuseIfClosed(),
    };
    this.#requests = new Requests(this, clock);
    this.#stopWatching = watchWakes(() => this.#link.nudge());
    this.#link.start();
    this.#stopSignal = onAbort(options.signal, () => void this.close());
  }

  // The connection.

  /** The state now; the event "state" says each change. */
  get state(): ClientState {
    return this.#link.state;
  }

  /** The client's name: as it was given, or by the broker from the first connection on. */
  get clientId(): string | undefined {
    return this.#session.clientId;
  }

  /**
   * The time by the broker's clock in Unix milliseconds, as it said with the last connection: for the age of messages, whose
   * `time` is the broker's. By the clock here before the first connection, and where the broker doesn't say.
   */
  get brokerTime(): number {
    return this.#link.brokerTime;
  }

  /** How many publishes are not known to be through. */
  get pending(): number {
    return this.#session.pending;
  }

  /** Calls `listener` from now on; gives what takes it off. */
  on<K extends keyof ClientEvents>(
    name: K,
    listener: (argument: ClientEvents[K]) => unknown,
    options?: ListenOptions,
  ): Unlisten {
    return this.#emitter.on(name, listener, options);
  }

  /** Resolves when there is a connection, at once where there is one; rejects with ClosedError where the client ends. */
  whenConnected({ signal }: { signal?: AbortSignal } = {}): Promise<ConnectionInfo> {
    const { state } = this;
    const waiting = deferred<ConnectionInfo>();
    if (state.name === "connected") waiting.resolve(state);
    else if (state.name === "closed") waiting.reject(closedError(state));
    else this.#connected.add(waiting);
    const stop = onAbort(signal, waiting.reject);
    const done = () => {
      stop();
      this.#connected.delete(waiting);
    };
    waiting.promise.then(done, done);
    return waiting.promise;
  }

  #stateChanged(state: ClientState): void {
    if (state.name === "connected") for (const waiting of this.#connected) waiting.resolve(state);
    if (state.name === "closed") {
      for (const waiting of this.#connected) waiting.reject(closedError(state));
      this.#stopWatching();
      this.#stopSignal();
      this.#closed.resolve(this.#session.pending);
    }
    this.#emitter.emit("state", state);
  }

  #refuseIfClosed(): void {
    const { state } = this;
    if (state.name === "closed") throw closedError(state);
    if (state.name === "closing") throw new ClosedError("close() was called");
  }

  #report(error: unknown): void {
    if (this.#emitter.count("error") > 0) this.#emitter.emit("error", error);
    else console.error("murre: a listener threw:", error);
  }

  // Publishing.

  /**
   * Publishes a value. With `ack`, the default, it resolves when the broker has it, and rejects with PublishError where it
   * was refused or had to be dropped, or with ClosedError.
   */
  publish(topic: string, value: unknown, options: PublishOptions = {}): Promise<Published> {
    return quiet(this.#publish(topic, value, options));
  }

  async #publish(topic: string, value: unknown, options: PublishOptions): Promise<Published> {
    const { ack = true, signal } = options;
    signal?.throwIfAborted();
    this.#refuseIfClosed();
    given("topic", topic, "a string");
    const payload = encoded(topic, value, options);
    const id = ack ? this.#session.nextPublish() : 0;
    const packet = publishPacket(topic, formatNumber(payload.format), payload.bytes, id, publishOptions(options));
    const published = deferred<Published>();
    const outbound = { id, packet, settle: (outcome: Outcome) => settle(published, topic, outcome) };
    this.#push(topic, outbound);
    if (!ack) published.resolve({ position: undefined });
    const stop = onAbort(signal, (reason) => {
      this.#session.unpublish(outbound);
      published.reject(reason);
    });
    return published.promise.finally(stop);
  }

  #push(topic: string, outbound: Outbound): void {
    const pushed = this.#session.publish(outbound);
    if (pushed === "full") {
      this.#emitter.emit("dropped", 1);
      throw new PublishError(topic, "full", "was not taken: the outgoing buffer is full");
    }
    if (pushed === "tooLarge") {
      throw new PublishError(
        topic,
        "tooLarge",
        `has ${outbound.packet.length} bytes, more than the broker or the buffer takes`,
      );
    }
    if (pushed > 0) this.#emitter.emit("dropped", pushed);
    this.#link.wake();
  }

  // Subscribing.

  /** Subscribes to a filter; see Subscription. T is what the application expects the values to be. */
  subscribe<T = unknown>(filter: string, options: SubscribeOptions = {}): Subscription<T> {
    return new Subscription<T>(this.#host, filter, options);
  }

  /** Who is online: one client, or all where it isn't said. */
  presence(clientId = "+"): PresenceStream {
    return new PresenceStream(this.subscribe(presenceFilter(clientId)));
  }

  // Asking and answering.

  /** Asks whoever responds on `topic`. Rejects with RequestError where there is no answer in time. */
  request<T = unknown>(topic: string, value: unknown, options: RequestOptions = {}): Promise<Message<T>> {
    return quiet(this.#requests.ask(topic, value, options)) as Promise<Message<T>>;
  }

  /**
   * Answers requests on a filter with what `responder` gives; where it throws, the request fails with its message. Give
   * `$share/<group>/<filter>` to share the requests with others. The subscription that is given ends it.
   */
  respond<T = unknown>(filter: string, responder: Responder<T>, options: RespondOptions = {}): Subscription<T> {
    const { queue, signal } = options;
    const bounds = { ...(queue !== undefined && { queue }), ...(signal && { signal }) };
    const subscription = this.subscribe<T>(filter, { from: "live", ...bounds });
    respondTo(this, subscription, responder, options);
    return subscription;
  }

  /** Answers one request. Rejects with PublishError where it asks for no answer. */
  reply(request: Message, value: unknown, options: PublishOptions = {}): Promise<Published> {
    const { replyTo, correlation } = request;
    if (replyTo === undefined) {
      const error = new PublishError(request.topic, "refused", "asks for no answer");
      return quiet(Promise.reject(error));
    }
    return this.publish(replyTo, value, { ...options, ...(correlation && { correlation }) });
  }

  // The end.

  /**
   * Takes nothing new, sends what is pending within `closeTimeout`, and takes leave, so that no will is sent. Resolves
   * with the number of publishes that were not through.
   */
  close(): Promise<number> {
    this.#link.close(this.#config.closeTimeout);
    return this.#closed.promise;
  }

  /** Resolves when the client has ended, whoever wanted that; `state` says why. */
  get closed(): Promise<void> {
    return this.#closed.promise.then(() => {});
  }
}

/**
 * A client of the broker at `url`, which connects in the background and again whenever the connection breaks. `http` and
 * `https` count as `ws` and `wss`, the path is `/ws` where there is none. Throws TypeError for what can't be right.
 */
export function connect(url: string | URL, options: ConnectOptions = {}): Client {
  return new Client(url, options);
}

function closedError({ reason, code }: ClientState & { name: "closed" }): ClosedError {
  return new ClosedError(reason, code);
}

function encoded(topic: string, value: unknown, { format }: PublishOptions): Payload {
  try {
    return encodePayload(value, format);
  } catch (cause) {
    throw new PublishError(topic, "encode", `has no payload: ${messageOf(cause)}`, undefined, { cause });
  }
}

function settle(published: Deferred<Published>, topic: string, outcome: Outcome): void {
  switch (outcome.kind) {
    case "accepted":
      published.resolve({ position: outcome.position });
      break;
    case "refused": {
      const { code, reason } = outcome;
      const what = `was refused with ${describeCode(code, reason)}`;
      published.reject(new PublishError(topic, "refused", what, code));
      break;
    }
    case "dropped":
      published.reject(new PublishError(topic, "dropped", "was dropped for newer ones: the outgoing buffer is full"));
      break;
    case "tooLarge":
      published.reject(
        new PublishError(topic, "tooLarge", `has ${outcome.bytes} bytes, the broker takes ${outcome.max}`),
      );
      break;
    case "closed":
      published.reject(new ClosedError("it ended before the broker had the message"));
  }
}
