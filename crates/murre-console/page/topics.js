// What is known of each topic: filled by every MESSAGE, read by the table a few times a second. No document.

import { Rate, decimalsOf, numbersOf } from "./figures.js";

const POINTS_MAX = 80; // Points of a sparkline.
const RECENT_MAX = 10; // Messages remembered of each topic.
const TOPICS_MAX = 20_000; // Topics remembered; messages of further ones are only counted.
const POINT_MS = 250; // A point stands for so long by the broker's clock, at the newest value of that time.
const RARE_MS = 2500; // Messages further apart than this have their rate from the time between two.

/** One topic: its last message, its rate, its points. */
export class Topic {
  payload = undefined;
  encoded = false; // The payload is base64, having no JSON form.
  format = 0;
  time = 0; // Unix milliseconds at the broker.
  position = 0;
  arrived = 0; // By this page's own clock, as are all the times below.
  changed = true; // Since the table last showed it.
  numbers = []; // Of the payload: [path, number].
  decimals = 0;
  points = [];
  recent = []; // The last messages, the newest first: { time, payload, encoded }.
  #interval = null;
  #isLive = false;
  #pointAt = -Infinity;
  #beginsAnew = false;
  #rate = new Rate();

  constructor(name) {
    this.name = name;
  }

  /** Messages a second; null while that isn't known. */
  rate(now) {
    if (this.#interval === null) return null;
    if (this.#interval > RARE_MS) return 1000 / Math.max(this.#interval, now - this.arrived);
    return this.#rate.perSecond(now);
  }

  /** What came may come again. Without a history at the broker it doesn't: then what is here stays. */
  beginAnew() {
    this.#beginsAnew = true;
  }

  #forgetWhatComesAgain(isHistory) {
    if (this.#beginsAnew && isHistory) {
      this.points = [];
      this.recent = [];
      this.#pointAt = -Infinity;
    }
    this.#beginsAnew = false;
  }

  /** Takes a MESSAGE in; `isPast`: it was published before this page asked. */
  take(packet, now, isPast) {
    this.#forgetWhatComesAgain(isPast && !packet.options?.retain);
    const isKnown = this.recent.length > 0 && packet.position === this.position;
    this.encoded = !("payload" in packet);
    this.payload = this.encoded ? packet.payload_base64 : packet.payload;
    this.format = packet.format ?? 2;
    this.time = packet.time;
    this.position = packet.position;
    this.changed = true;
    if (isPast) {
      // As old as the broker says, and no part of the rate.
      this.arrived = now - Math.max(0, Date.now() - packet.time);
    } else {
      if (this.#isLive) this.#interval = now - this.arrived;
      this.#isLive = true;
      this.arrived = now;
      this.#rate.count(now);
    }
    this.numbers = this.encoded ? [] : numbersOf(this.payload);
    if (this.numbers.length > 0) this.#addPoint(this.numbers[0][1], packet.time);
    if (isKnown) return;
    this.recent.unshift({ time: this.time, payload: this.payload, encoded: this.encoded });
    if (this.recent.length > RECENT_MAX) this.recent.pop();
  }

  #addPoint(number, time) {
    this.decimals = Math.max(this.decimals, decimalsOf(number));
    if (Math.abs(time - this.#pointAt) < POINT_MS) {
      this.points[this.points.length - 1] = number;
      return;
    }
    this.#pointAt = time;
    this.points.push(number);
    if (this.points.length > POINTS_MAX) this.points.shift();
  }
}

/** All topics that were seen, by name. */
export class Topics {
  leftOut = 0; // Messages of topics past TOPICS_MAX.
  total = new Rate();
  #byName = new Map();
  #sorted = [];
  #isSorted = true;

  get size() {
    return this.#byName.size;
  }

  /** Whether a topic came since `sorted` was last asked for. */
  get hasNew() {
    return !this.#isSorted;
  }

  get(name) {
    return this.#byName.get(name);
  }

  /** The past of all topics comes, and what came before with it. */
  beginAnew() {
    for (const topic of this.#byName.values()) topic.beginAnew();
  }

  /** Takes a MESSAGE in; `isPast`: it was published before this page asked, and is no part of a rate. */
  take(packet, now, isPast = false) {
    if (!isPast) this.total.count(now);
    let topic = this.#byName.get(packet.topic);
    if (!topic) {
      if (this.size >= TOPICS_MAX) {
        this.leftOut += 1;
        return;
      }
      topic = new Topic(packet.topic);
      this.#byName.set(topic.name, topic);
      this.#sorted.push(topic);
      this.#isSorted = false;
    }
    topic.take(packet, now, isPast);
  }

  /** By name, level by level, so that each first level stands together. */
  sorted() {
    if (!this.#isSorted) this.#sorted.sort((a, b) => compareNames(a.name, b.name));
    this.#isSorted = true;
    return this.#sorted;
  }
}

const byNumbers = new Intl.Collator("en", { numeric: true });

/** Topic names in order: by level, numbers in names by size (`station/2` before `station/10`). */
export function compareNames(a, b) {
  const left = a.split("/");
  const right = b.split("/");
  for (let level = 0; level < Math.min(left.length, right.length); level++) {
    const difference = left[level] === right[level] ? 0 : byNumbers.compare(left[level], right[level]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length || (a < b ? -1 : 1);
}
