// A view beside what it is a view of: two connections, and what comes over each.

import {
  type Client,
  connect,
  type Message,
  type SocketConstructor,
  type SubscribeOptions,
  type Subscription,
} from "murre";
import { Rate } from "../../../page/figures.js";
import { optionsOf, type Problems, type Settings, settingIn } from "./settings.js";

/** Messages that are shown of each side. */
const NEWEST_MAX = 20;

/** One connection with one subscription, and the sums of what came. Nothing else is kept but the newest messages. */
export class Side {
  messages = 0;
  /** Of WebSocket messages with their headers: what the network carries, but for TCP and IP. */
  bytes = 0;
  /** The newest first. */
  readonly newest: Message[] = [];
  readonly messageRate = new Rate();
  readonly byteRate = new Rate();
  /** Why the broker refused. */
  problem = "";
  readonly #client: Client;
  readonly #subscription: Subscription;
  readonly #now: () => number;

  constructor(address: string, filter: string, options: SubscribeOptions, now = () => performance.now()) {
    this.#now = now;
    this.#client = connect(address, { agent: "murre console, try it", webSocket: this.#countingSocket() });
    this.#subscription = this.#client.subscribe(filter, options);
    this.#subscription.on("message", (message) => this.#take(message));
    this.#subscription.on("end", (error) => {
      this.problem = error?.message ?? "";
    });
  }

  /** The platform's WebSocket, which tells how many bytes come. */
  #countingSocket(): SocketConstructor {
    const count = (bytes: number) => {
      this.bytes += bytes;
      this.byteRate.count(this.#now(), bytes);
    };
    const counting = class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        this.addEventListener("message", ({ data }) => count(frameBytes(data)));
      }
    };
    return counting as unknown as SocketConstructor;
  }

  #take(message: Message): void {
    this.messages += 1;
    this.messageRate.count(this.#now());
    this.newest.unshift(message);
    if (this.newest.length > NEWEST_MAX) this.newest.pop();
  }

  close(): void {
    void this.#client.close();
  }
}

/** The bytes of an unmasked frame by RFC 6455, header included. */
function frameBytes(data: unknown): number {
  const size = data instanceof ArrayBuffer ? data.byteLength : new TextEncoder().encode(String(data)).length;
  if (size < 126) return size + 2;
  return size + (size < 65_536 ? 4 : 10);
}

/** Both sides, from one moment on. */
export class Trial {
  readonly plain: Side;
  readonly viewed: Side;

  /** `filter` and the options are those of settings that can be read: see optionsOf. */
  constructor(address: string, settings: Settings) {
    const { from, view } = optionsOf(settings);
    const filter = settings.filter?.trim() || "#";
    this.plain = new Side(address, filter, { from });
    this.viewed = new Side(address, filter, { from, ...view });
  }

  /** What the broker refused, by the setting that it names. */
  get problems(): Problems {
    const reason = this.viewed.problem || this.plain.problem;
    return reason ? { [settingIn(reason)]: reason } : {};
  }

  /** The share of the bytes that the view saves; undefined while that says nothing. */
  get saved(): number | undefined {
    if (this.plain.messages === 0 || this.plain.bytes <= this.viewed.bytes) return undefined;
    return 1 - this.viewed.bytes / this.plain.bytes;
  }

  close(): void {
    this.plain.close();
    this.viewed.close();
  }
}
