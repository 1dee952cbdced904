// JSON Merge Patch (RFC 7386), over values as JSON and MessagePack have them.

/** `target` with `patch` applied. Neither is changed; what the patch leaves alone is shared with the target. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  // Object.fromEntries defines keys and never assigns them, so that `__proto__` is a key like any other.
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  // Arrays, bytes and dates are values that a patch replaces as a whole.
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
