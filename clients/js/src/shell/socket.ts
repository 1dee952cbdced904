// The WebSocket: the platform's own, or that of the package `ws` where Node has none.

/** As much of a WebSocket as the SDK uses. */
export interface SocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** What makes a WebSocket: the platform's class, or one with the same constructor. */
export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** The class to use. Rejects where there is none. */
export async function socketConstructor(given: SocketConstructor | undefined): Promise<SocketConstructor> {
  if (given) return given;
  if (typeof WebSocket === "function") return WebSocket as unknown as SocketConstructor;
  // Not a literal, so that bundlers for browsers, which never come here, don't look for it.
  const name = "ws";
  try {
    const { WebSocket } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as {
      WebSocket: SocketConstructor;
    };
    return WebSocket;
  } catch (cause) {
    const advice = "install the package ws, use Node 22 or later, or give a class as the option webSocket";
    throw new Error(`this platform has no WebSocket: ${advice}`, { cause });
  }
}
