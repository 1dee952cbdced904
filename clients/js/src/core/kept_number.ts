// The numbers of subscriptions that are part of the broker's session.

/** From here on are the numbers of subscriptions that the broker keeps with the session. */
export const KEPT_FROM = 2 ** 52;

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const LOW_52_BITS = 2n ** 52n - 1n;

/**
 * The number of a kept subscription is made from its filter, so that a program that starts again finds its own ones, in
 * whatever order it asks for them: the low 52 bits of FNV-1a (64 bits). `isTaken` says that a number is in use, by
 * another subscription with the same filter mostly.
 */
export function keptNumber(filter: string, isTaken: (sub: number) => boolean): number {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(filter)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  }
  let offset = Number(hash & LOW_52_BITS);
  while (isTaken(KEPT_FROM + offset)) offset = (offset + 1) % KEPT_FROM;
  return KEPT_FROM + offset;
}
