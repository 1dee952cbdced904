// Checks of what an application gives. The broker ends the connection of a client that sends an option of a wrong type,
// so that is found here, where it only ends the call.

const KINDS = {
  "a string": (value: unknown) => typeof value === "string",
  "a number": (value: unknown) => typeof value === "number" && Number.isFinite(value),
  "a whole number from 0 on": (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0,
  "true or false": (value: unknown) => typeof value === "boolean",
  "an array of strings": (value: unknown) => Array.isArray(value) && value.every((part) => typeof part === "string"),
  "an array of positions": (value: unknown) =>
    Array.isArray(value) && value.every((part) => Number.isSafeInteger(part)),
  "a Uint8Array": (value: unknown) => value instanceof Uint8Array,
  "an object": (value: unknown) => typeof value === "object",
  "an object of strings": (value: unknown) =>
    typeof value === "object" && value !== null && Object.values(value).every((part) => typeof part === "string"),
};

/** `value`, which is of that kind, or absent where it may be. Throws TypeError. */
export function checked<T>(name: string, value: T, kind: keyof typeof KINDS): T {
  if (value === undefined || value === null || KINDS[kind](value)) return value;
  throw new TypeError(`${name} is ${describe(value)}: expected ${kind}`);
}

/** As `checked`, and `value` has to be there. */
export function given<T>(name: string, value: T, kind: keyof typeof KINDS): T {
  if (value === undefined || value === null) throw new TypeError(`${name} is missing: expected ${kind}`);
  return checked(name, value, kind);
}

function describe(value: unknown): string {
  return typeof value === "object" ? Object.prototype.toString.call(value) : String(value);
}
