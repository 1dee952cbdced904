// Listeners, none of which can harm another or the connection.

import { onAbort } from "./promises.js";

/** What `on` takes beside the listener. */
export interface ListenOptions {
  /** Takes the listener off when it is aborted. */
  signal?: AbortSignal;
}

/** Takes a listener off. */
export type Unlisten = () => void;

type Listener<A> = (argument: A) => unknown;

/** Listeners by the names of the keys of E, each called with a value of the key's type. */
export class Emitter<E extends object> {
  readonly #listeners = new Map<keyof E, Set<Listener<never>>>();
  readonly #report: (error: unknown) => void;

  /** `report` is given whatever a listener throws, or rejects with. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  on<K extends keyof E>(name: K, listener: Listener<E[K]>, { signal }: ListenOptions = {}): Unlisten {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A wrapper of its own, so that the same function may listen twice.
    const own: Listener<never> = (argument) => listener(argument);
    listeners.add(own);
    const stopSignal = onAbort(signal, () => listeners.delete(own));
    return () => {
      stopSignal();
      listeners.delete(own);
    };
  }

  /** How many listen. */
  count(name: keyof E): number {
    return this.#listeners.get(name)?.size ?? 0;
  }

  emit<K extends keyof E>(name: K, argument: E[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) this.#call(listener as Listener<E[K]>, argument);
  }

  #call<A>(listener: Listener<A>, argument: A): void {
    try {
      const result = listener(argument);
      if (result instanceof Promise) result.catch(this.#report);
    } catch (error) {
      this.#report(error);
    }
  }
}
