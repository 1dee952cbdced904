// The tree of topics by levels. It stays cheap with 100,000 topics under one level: what comes is sorted by itself and
// merged, and nothing below a level that isn't open is ever looked at.

import { Rate } from "../../../page/figures.js";
import type { Topic } from "./topic.js";

/** A level: what stands between two slashes, with all below it, and a topic where one ends here. */
export class Level {
  readonly name: string;
  /** From the top down to this level. */
  readonly path: string;
  readonly parent: Level | undefined;
  topic: Topic | undefined;
  /** Topics here and below. */
  count = 0;
  /** When anything here or below last arrived. */
  arrived = Number.NEGATIVE_INFINITY;
  readonly rate = new Rate();
  readonly #key: string;
  readonly #children = new Map<string, Level>();
  #sorted: Level[] = [];
  #fresh: Level[] = [];

  constructor(name = "", parent?: Level) {
    this.name = name;
    this.parent = parent;
    this.path = parent?.parent ? `${parent.path}/${name}` : name;
    this.#key = sortKey(name);
  }

  /** The level of that name below this one, made where it isn't there. */
  child(name: string): Level {
    let child = this.#children.get(name);
    if (!child) {
      child = new Level(name, this);
      this.#children.set(name, child);
      this.#fresh.push(child);
    }
    return child;
  }

  /** The levels below this one in order: numbers in names by size, `station/2` before `station/10`. */
  children(): readonly Level[] {
    if (this.#fresh.length > 0) {
      const fresh = this.#fresh.sort((a, b) => a.compare(b));
      this.#sorted = this.#sorted.length === 0 ? fresh : merged(this.#sorted, fresh);
      this.#fresh = [];
    }
    return this.#sorted;
  }

  get hasChildren(): boolean {
    return this.#children.size > 0;
  }

  /** All topics here and below, in order. */
  *topics(): Generator<Topic> {
    if (this.topic) yield this.topic;
    for (const child of this.children()) yield* child.topics();
  }

  /** Which of two levels under one parent comes first. */
  compare(other: Level): number {
    if (this.#key === other.#key) return this.name < other.name ? -1 : 1;
    return this.#key < other.#key ? -1 : 1;
  }
}

/** Numbers padded to one length, so that comparing texts compares them by size. */
function sortKey(name: string): string {
  return name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(16, "0"));
}

function merged(left: readonly Level[], right: readonly Level[]): Level[] {
  const all: Level[] = [];
  let next = 0;
  for (const level of left) {
    for (let other = right[next]; other && other.compare(level) < 0; other = right[next]) {
      all.push(other);
      next += 1;
    }
    all.push(level);
  }
  for (const level of right.slice(next)) all.push(level);
  return all;
}
