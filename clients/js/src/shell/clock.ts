// Time and chance, as the shell gets them; tests give others.

/** The time, timers, and random numbers. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Calls `run` once, after `delay` milliseconds at least; gives what calls it off. */
  after(delay: number, run: () => void): () => void;
  /** A number in 0 to 1. */
  random(): number;
}

/** The longest that a timer may be set for; a longer one would fire at once. */
const DELAY_MAX = 2 ** 31 - 1;

/**
 * The system's. The wall clock and not a steady one, since that stands still while some systems sleep, and a jump is how
 * a sleep is noticed.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delay, run) {
    const timer = setTimeout(run, Math.min(Math.max(delay, 0), DELAY_MAX));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
