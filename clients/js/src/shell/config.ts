// A client's configuration, checked and complete.

import { checked } from "../checks.js";
import type { Backoff } from "../core/backoff.js";
import type { Buffer } from "../core/outgoing.js";
import { type ConnectOptions, wireWill } from "../options.js";
import type { WireOptions } from "../protocol/to_broker.js";
import type { SocketConstructor } from "./socket.js";

/** What the client says that it is, where the application says nothing. */
const AGENT = "murre-js/0.1.0";

/** See the top of the file. */
export interface Config {
  url: string;
  clientId: string | undefined;
  sessionExpiry: number;
  buffer: Buffer;
  backoff: Backoff;
  connectTimeout: number;
  closeTimeout: number;
  webSocket: SocketConstructor | undefined;
  /** The options of CONNECT, for a client of that name. */
  hello(clientId: string | undefined): WireOptions;
}

/** Checks what `connect` was given. Throws TypeError. */
export function configure(url: string | URL, options: ConnectOptions): Config {
  const sessionExpiry = seconds("sessionExpiry", options.sessionExpiry ?? 0);
  const keepAlive = seconds("keepAlive", options.keepAlive ?? 60);
  // Encoded once, so that what has no form is found here.
  const will = options.will && wireWill(options.will);
  const token = checked("token", options.token, "a string");
  const username = checked("username", options.username, "a string");
  const password = checked("password", options.password, "a string");
  const agent = checked("agent", options.agent ?? AGENT, "a string");
  return {
    url: socketUrl(url),
    clientId: checkedClientId(options.clientId),
    sessionExpiry,
    buffer: { messages: 10_000, bytes: 8 * 1024 * 1024, inFlight: 1024, whenFull: "dropOldest", ...options.buffer },
    backoff: { min: 100, max: 30_000, ...options.backoff },
    connectTimeout: options.connectTimeout ?? 10_000,
    closeTimeout: options.closeTimeout ?? 5_000,
    webSocket: options.webSocket,
    hello: (clientId) => ({
      client_id: clientId,
      username,
      password,
      token,
      keep_alive: keepAlive,
      session_expiry: sessionExpiry || undefined,
      will,
      agent,
    }),
  };
}

/**
 * The broker's address as a WebSocket wants it: http and https count as ws and wss, the path is `/ws` where there is
 * none, and in a page an address may leave off what the page's own has.
 */
export function socketUrl(given: string | URL): string {
  const expected = "expected an address like ws://host:port/ws";
  let url: URL;
  try {
    url = new URL(given, globalThis.location?.href);
  } catch {
    throw new TypeError(`${given} is no address: ${expected}`);
  }
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (url.protocol !== "ws:" && url.protocol !== "wss:")
    throw new TypeError(`${given} has another scheme: ${expected}`);
  if (url.username || url.password) {
    throw new TypeError("a user or password in the address goes nowhere: use the options username, password or token");
  }
  if (url.pathname === "/") url.pathname = "/ws";
  url.hash = "";
  return url.href;
}

function checkedClientId(given: string | undefined): string | undefined {
  const clientId = checked("clientId", given, "a string");
  if (clientId === undefined) return undefined;
  const bytes = new TextEncoder().encode(clientId).length;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (bytes < 1 || bytes > 128 || /[/+#\u0000-\u001f\u007f-\u009f]/.test(clientId)) {
    throw new TypeError(
      `${JSON.stringify(clientId)} is no client id: 1 to 128 bytes without / + # and control characters`,
    );
  }
  return clientId;
}

function seconds(name: string, value: number): number {
  if (!Number.isFinite(value) || value < 0) throw new TypeError(`${name} is ${value}: expected seconds`);
  return Math.ceil(value);
}
