// The moments at which a page should look after its connection: shown again, awake again, on the network again.

/**
 * Calls `wake` at each of them; gives what stops that. Does nothing where there are no such events, as in Node; a sleep
 * is noticed there by the clock.
 */
export function watchWakes(wake: () => void): () => void {
  const stops: (() => void)[] = [];
  const watch = (target: unknown, name: string, listener: () => void) => {
    if (!isEventTarget(target)) return;
    target.addEventListener(name, listener);
    stops.push(() => target.removeEventListener(name, listener));
  };
  const page = typeof document === "undefined" ? undefined : document;
  watch(globalThis, "online", wake);
  watch(globalThis, "pageshow", wake);
  watch(page, "resume", wake);
  watch(page, "visibilitychange", () => {
    if (page?.visibilityState === "visible") wake();
  });
  const connection = typeof navigator === "undefined" ? undefined : (navigator as { connection?: unknown }).connection;
  watch(connection, "change", wake);
  return () => {
    for (const stop of stops) stop();
  };
}

function isEventTarget(target: unknown): target is EventTarget {
  return typeof (target as EventTarget | undefined)?.addEventListener === "function";
}
