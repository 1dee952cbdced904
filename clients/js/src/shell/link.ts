// Keeps a client connected: makes connections, one after the other, until the client ends.

import { Retries } from "../core/backoff.js";
import type { Notice, Session } from "../core/session.js";
import { ClosedError, messageOf } from "../errors.js";
import type { Connected } from "../protocol/from_broker.js";
import { SUBPROTOCOL } from "../protocol/to_broker.js";
import type { Clock } from "./clock.js";
import type { Config } from "./config.js";
import { Connection, type Loss } from "./connection.js";
import { type SocketConstructor, socketConstructor } from "./socket.js";
import type { ClientState } from "./state.js";

/** How long acknowledgements wait for more of them, in milliseconds, and how many may wait. */
const ACKS_DELAY = 10;
const ACKS_MAX = 64;
/** How long a client that was woken waits at most, in milliseconds: all clients of a network wake at once. */
const WAKE_JITTER_MAX = 1_000;

/** What a link tells. */
export interface LinkListener {
  state(state: ClientState): void;
  notice(notice: Notice): void;
  dropped(count: number): void;
}

/** See the top of the file. */
export class Link {
  readonly #config: Config;
  readonly #session: Session;
  readonly #clock: Clock;
  readonly #listener: LinkListener;
  readonly #retries: Retries;
  #state: ClientState = { name: "connecting", attempt: 1 };
  #connection: Connection | undefined;
  #connectedAt: number | undefined;
  /** Milliseconds by which the broker's clock is ahead of this one's. */
  #ahead = 0;
  /** Calls off the wait before the next attempt. */
  #stopWaiting = () => {};
  /** The broker asked not to be asked before. */
  #notBefore = 0;
  #closing = false;
  #stopDeadline = () => {};
  #pumpDue = false;
  #acks = 0;
  #stopAcks: (() => void) | undefined;

  constructor(config: Config, session: Session, clock: Clock, listener: LinkListener) {
    this.#config = config;
    this.#session = session;
    this.#clock = clock;
    this.#listener = listener;
    this.#retries = new Retries(config.backoff);
  }

  get state(): ClientState {
    return this.#state;
  }

  #become(state: ClientState): void {
    this.#state = state;
    this.#listener.state(state);
  }

  // Making connections.

  /** Begins the next attempt. */
  start(): void {
    const attempt = this.#retries.nextAttempt();
    if (!this.#closing) this.#become({ name: "connecting", attempt });
    socketConstructor(this.#config.webSocket).then(
      (make) => this.#open(make),
      // Nothing here will change that.
      (error) => this.#end(new ClosedError(messageOf(error))),
    );
  }

  #open(make: SocketConstructor): void {
    if (this.#state.name === "closed") return;
    const { url, connectTimeout } = this.#config;
    try {
      const socket = new make(url, [SUBPROTOCOL]);
      const hello = this.#config.hello(this.#session.clientId);
      this.#connection = new Connection(socket, this.#session, hello, connectTimeout, this.#clock, {
        connected: (info) => this.#connected(info),
        notice: (notice) => this.#listener.notice(notice),
        dropped: (count) => this.#listener.dropped(count),
        progress: () => this.#progress(),
        ended: (loss) => this.#lost(loss),
      });
    } catch (error) {
      // Such as a page of https:// that may not open ws://.
      this.#end(new ClosedError(`there can't be a connection to ${url}: ${messageOf(error)}`));
    }
  }

  #connected(info: Connected): void {
    this.#connectedAt = this.#clock.now();
    if (info.time !== undefined) this.#ahead = info.time - this.#connectedAt;
    this.#notBefore = 0;
    if (!this.#closing) this.#become(connectedState(info));
  }

  /** The time by the broker's clock, as it said with the last connection; by this one's before the first. */
  get brokerTime(): number {
    return this.#clock.now() + this.#ahead;
  }

  #lost({ code, reason, retryAfter, mayReconnect }: Loss): void {
    this.#connection = undefined;
    this.#stopAcks?.();
    this.#stopAcks = undefined;
    if (this.#connectedAt !== undefined) this.#retries.connectionEnded(this.#clock.now() - this.#connectedAt);
    this.#connectedAt = undefined;
    if (this.#closing && (!mayReconnect || this.#session.pending === 0)) this.#end(undefined);
    else if (!mayReconnect) this.#end(new ClosedError(reason, code));
    else this.#wait(code, reason, retryAfter);
  }

  #wait(code: number | undefined, reason: string, retryAfter = 0): void {
    const retryIn = this.#retries.nextWait(this.#clock.random(), retryAfter);
    this.#notBefore = this.#clock.now() + retryAfter;
    this.#startIn(retryIn);
    if (!this.#closing) this.#become({ name: "waiting", reason, code, retryIn });
  }

  #startIn(delay: number): void {
    this.#stopWaiting();
    this.#stopWaiting = this.#clock.after(delay, () => {
      this.#stopWaiting = () => {};
      this.start();
    });
  }

  /**
   * The page is shown again, awake again, or on another network. What waits for its next attempt makes it now, but for a
   * little jitter, and not before the broker wants it.
   */
  nudge(): void {
    if (this.#state.name === "connected") this.#connection?.probe();
    if (this.#state.name !== "waiting") return;
    const jitter = this.#clock.random() * Math.min(this.#config.backoff.min, WAKE_JITTER_MAX);
    this.#startIn(Math.max(jitter, this.#notBefore - this.#clock.now()));
  }

  // Sending.

  /** There is something to be sent: it goes out at the end of the running task, with what else comes until then. */
  wake(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    queueMicrotask(() => {
      this.#pumpDue = false;
      this.#connection?.pump();
      this.#progress();
    });
  }

  /** There is an acknowledgement to be sent: soon, with what else comes until then. */
  wakeForAck(): void {
    this.#acks += 1;
    if (this.#acks >= ACKS_MAX) this.#sendAcks();
    else this.#stopAcks ??= this.#clock.after(ACKS_DELAY, () => this.#sendAcks());
  }

  #sendAcks(): void {
    this.#acks = 0;
    this.#stopAcks?.();
    this.#stopAcks = undefined;
    this.wake();
  }

  // The end.

  /** Takes nothing new, sends what is pending within `timeout` milliseconds, and takes leave. */
  close(timeout: number): void {
    if (this.#closing || this.#state.name === "closed") return;
    this.#closing = true;
    this.#become({ name: "closing" });
    this.#stopDeadline = this.#clock.after(timeout, () => this.#leave());
    this.#connection?.pump();
    this.#progress();
  }

  #progress(): void {
    if (!this.#closing || this.#state.name === "closed") return;
    const mayBeLeft = this.#connectedAt === undefined ? this.#session.pending === 0 : this.#session.isFlushed;
    if (mayBeLeft) this.#leave();
  }

  #leave(): void {
    if (this.#connection) this.#connection.leave();
    else this.#end(undefined);
  }

  /** For good; without an error where the application wanted it. */
  #end(error: ClosedError | undefined): void {
    if (this.#state.name === "closed") return;
    this.#stopWaiting();
    this.#stopDeadline();
    this.#closing = true;
    this.#become({ name: "closed", reason: error?.reason ?? "close() was called", code: error?.code });
    this.#session.end(error);
  }
}

function connectedState(info: Connected): ClientState {
  const { clientId, server, epoch, sessionPresent, sessionExpiry, durable, keepAlive } = info;
  return { name: "connected", clientId, server, epoch, sessionPresent, sessionExpiry, durable, keepAlive };
}
