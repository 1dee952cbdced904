// When a reading counts as staying away, judged by how it came before.

/** Fewer distances than these say nothing. */
const DISTANCES_MIN = 8;
/** Of the distances, nearly all are shorter than the one at this share. */
const SHARE = 0.9;
/** So many times that distance is more than chance: of readings at random times one or two in 10,000 are later. */
const FACTOR = 5;
/** Seconds: nothing that comes faster is missed sooner. */
const SILENCE_MIN = 5;

/**
 * Seconds of silence past which something is missing, from the distances in seconds between the last readings, in any
 * order; infinite while they are too few. Single long ones don't count: they are silences themselves.
 */
export function silenceMax(distances: readonly number[]): number {
  if (distances.length < DISTANCES_MIN) return Number.POSITIVE_INFINITY;
  const sorted = distances.toSorted((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length * SHARE)] ?? 0;
  return Math.max(SILENCE_MIN, FACTOR * usual);
}

/** The distances between times that only rise, or only fall. */
export function distancesOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => Math.abs(time - (times[index] ?? time)));
}
