// Which rows the list has: the tree as far as its levels are open, or what a search finds.

import type { Level } from "./level.js";
import type { Topic } from "./topic.js";
import type { Topics } from "./topics.js";

/** Up to so many topics all levels are open unless somebody closed them. */
const OPEN_TOPICS_MAX = 300;

/** A row: a level, a topic, or both. */
export interface Row {
  /** Unlike that of every other row. */
  key: string;
  /** What stands before the label, where a row has the whole name of a topic. */
  parents: string;
  label: string;
  /** From 1. */
  depth: number;
  topic: Topic | undefined;
  /** The level that can be opened and closed; undefined where there is nothing below. */
  level: Level | undefined;
  isOpen: boolean;
}

/** The rows of `topics`, kept until something changes that they depend on. */
export class Rows {
  readonly #topics: Topics;
  readonly #chosen = new Map<string, boolean>();
  #changes = 0;
  #state = "";
  #rows: readonly Row[] = [];

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  /** Opens a level or closes it. */
  open(level: Level, isOpen: boolean): void {
    this.#chosen.set(level.path, isOpen);
    this.#changes += 1;
  }

  /** Topics whose names have `search` in them; the tree where it is empty. */
  of(search: string): readonly Row[] {
    const wanted = search.trim().toLowerCase();
    const state = `${this.#topics.version} ${this.#changes} ${wanted}`;
    if (state !== this.#state) {
      this.#state = state;
      this.#rows = wanted ? this.#found(wanted) : [...this.#below(this.#topics.root, 1)];
    }
    return this.#rows;
  }

  #isOpen(level: Level): boolean {
    return this.#chosen.get(level.path) ?? this.#topics.size <= OPEN_TOPICS_MAX;
  }

  *#below(parent: Level, depth: number): Generator<Row> {
    for (const first of parent.children()) {
      const [level, label] = joined(first);
      const below = level.hasChildren ? level : undefined;
      const isOpen = below !== undefined && this.#isOpen(below);
      yield { key: level.path, parents: "", label, depth, topic: level.topic, level: below, isOpen };
      if (isOpen) yield* this.#below(below, depth + 1);
    }
  }

  #found(wanted: string): Row[] {
    const rows: Row[] = [];
    for (const topic of this.#topics.root.topics()) {
      if (!topic.name.toLowerCase().includes(wanted)) continue;
      const cut = topic.name.lastIndexOf("/") + 1;
      const [parents, label] = [topic.name.slice(0, cut), topic.name.slice(cut)];
      rows.push({ key: topic.name, parents, label, depth: 1, topic, level: undefined, isOpen: false });
    }
    return rows;
  }
}

/** Levels with nothing but one level below share a row with it: `site/a` rather than `site` and `a`. */
function joined(first: Level): [level: Level, label: string] {
  let [level, label] = [first, first.name];
  for (;;) {
    const [only, more] = level.children();
    if (level.topic || !only || more || !only.hasChildren) return [level, label];
    label += `/${only.name}`;
    level = only;
  }
}
