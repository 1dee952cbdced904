// Figures for people: numbers, rates, ages, the line of a sparkline. No state but that of `Rate`, no document.

const RATE_SECONDS = 5; // The time over which a rate decays.
const DECIMALS_MAX = 4;
const DIGITS_MAX = 7; // Of a number with decimals.
const POINTS_MIN = 20; // Fewer points of a sparkline than this don't fill its width.

const numberFormats = Array.from({ length: DECIMALS_MAX + 1 }, (_, digits) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

/** A number in so many decimals, fewer where it is large. A topic keeps the most decimals that it has shown, so
 *  that its column stands still. */
export function formatNumber(number, decimals = 0) {
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return number.toExponential(3);
  const room = DIGITS_MAX - 1 - Math.floor(Math.log10(Math.max(size, 1)));
  return numberFormats[Math.max(0, Math.min(decimals, room))].format(number);
}

/** How many decimals a number needs, four at most. */
export function decimalsOf(number) {
  for (let decimals = 0; decimals < DECIMALS_MAX; decimals++) {
    const scaled = number * 10 ** decimals;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6) return decimals;
  }
  return DECIMALS_MAX;
}

/** Events a second, a minute or an hour, whichever has a digit to show; empty where nothing is known. */
export function formatRate(rate) {
  if (rate === null || rate * 3600 < 0.5) return "";
  if (rate >= 0.95) return `${formatNumber(rate, rate < 9.95 ? 1 : 0)}/s`;
  return rate * 60 >= 0.95 ? `${Math.round(rate * 60)}/min` : `${Math.round(rate * 3600)}/h`;
}

/** A time that has passed, in one unit. */
export function formatAge(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return "now";
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** The numbers of a payload as [path, number], in order, four at most and three levels deep. */
export function numbersOf(payload, path = "", depth = 0, found = []) {
  if (typeof payload === "number") found.push([path, payload]);
  else if (payload !== null && typeof payload === "object" && depth < 3) {
    for (const key in payload) {
      if (found.length >= 4) break;
      numbersOf(payload[key], path ? `${path}.${key}` : key, depth + 1, found);
    }
  }
  return found;
}

/** A payload as text: a string as it is, anything else as JSON. */
export function textOf(payload, indent = 0) {
  return typeof payload === "string" ? payload : JSON.stringify(payload, null, indent) ?? "";
}

/** A short name for a path in a payload: its last part, with the one before where that is only a number. */
export function labelOf(path) {
  const parts = path.split(".");
  return parts.slice(/^\d+$/.test(parts.at(-1)) ? -2 : -1).join(".");
}

/** The path of a sparkline in a box; empty for fewer than two points. */
export function sparkline(points, width, height) {
  if (points.length < 2) return "";
  const low = Math.min(...points);
  const span = Math.max(...points) - low;
  const step = width / (Math.max(points.length, POINTS_MIN) - 1);
  const start = width - (points.length - 1) * step;
  return points.map((point, index) => {
    const y = span === 0 ? height / 2 : height - 2 - ((point - low) / span) * (height - 4);
    return `${index ? "L" : "M"}${(start + index * step).toFixed(1)} ${y.toFixed(1)}`;
  }).join("");
}

/** How often something happens: a count that decays over RATE_SECONDS. Times are milliseconds, rising. */
export class Rate {
  #sum = 0;
  #at = 0;
  #since = null;

  count(now, events = 1) {
    this.#since ??= now;
    this.#sum = this.#decayed(now) + events;
    this.#at = now;
  }

  /** Events a second; null while too little time has passed to say. */
  perSecond(now) {
    const seconds = this.#since === null ? 0 : (now - this.#since) / 1000;
    if (seconds < 1) return null;
    return this.#decayed(now) / (RATE_SECONDS * (1 - Math.exp(-seconds / RATE_SECONDS)));
  }

  #decayed(now) {
    return this.#sum * Math.exp((this.#at - now) / 1000 / RATE_SECONDS);
  }
}
