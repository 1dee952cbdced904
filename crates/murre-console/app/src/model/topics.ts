// All topics that were seen, by name and by level.

import type { Message } from "murre";
import { Rate } from "../../../page/figures.js";
import { Level } from "./level.js";
import { Topic } from "./topic.js";

/** Topics remembered; messages of further ones are only counted. */
const TOPICS_MAX = 250_000;

/** See the top of the file. */
export class Topics {
  readonly root = new Level();
  /** Messages of topics past TOPICS_MAX. */
  leftOut = 0;
  /** Changes when a topic comes that wasn't there. */
  version = 0;
  readonly total = new Rate();
  readonly #levels = new Map<string, Level>();

  get size(): number {
    return this.#levels.size;
  }

  get(name: string): Topic | undefined {
    return this.#levels.get(name)?.topic;
  }

  /**
   * Takes a message in, the newest of `count` of its topic. `isPast`: it was published before this page asked, and is no
   * part of a rate.
   */
  take(message: Message, now: number, isPast: boolean, count = 1): void {
    if (!isPast) this.total.count(now, count);
    const level = this.#levels.get(message.topic) ?? this.#add(message.topic);
    if (!level?.topic) {
      this.leftOut += 1;
      return;
    }
    level.topic.take(message, now, isPast, { age: Date.now() - message.time, count });
    const { arrived } = level.topic;
    for (let above: Level | undefined = level; above; above = above.parent) {
      above.arrived = Math.max(above.arrived, arrived);
      if (!isPast) above.rate.count(now, count);
    }
  }

  #add(name: string): Level | undefined {
    if (this.size >= TOPICS_MAX) return undefined;
    let level = this.root;
    for (const part of name.split("/")) level = level.child(part);
    level.topic = new Topic(name);
    for (let above: Level | undefined = level; above; above = above.parent) above.count += 1;
    this.#levels.set(name, level);
    this.version += 1;
    return level;
  }
}
