// Promises that may be left alone, and signals.

/** A promise with its two ends outside. */
export interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

/** A promise to be settled later. It may be left alone: a rejection that nobody awaits is no unhandled one. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = quiet(
    new Promise<T>((one, other) => {
      resolve = one;
      reject = other;
    }),
  );
  return { promise, resolve, reject };
}

/** The same promise, whose rejection counts as handled also where nobody awaits it. */
export function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Calls `run` when the signal is aborted, at once where it is; gives what calls that off. */
export function onAbort(signal: AbortSignal | undefined, run: (reason: unknown) => void): () => void {
  if (!signal) return () => {};
  const aborted = () => run(signal.reason);
  if (signal.aborted) {
    aborted();
    return () => {};
  }
  signal.addEventListener("abort", aborted, { once: true });
  return () => signal.removeEventListener("abort", aborted);
}
