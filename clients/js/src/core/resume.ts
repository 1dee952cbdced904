// Where a subscription stands in the broker's order, and how to go on from there.

/**
 * A place to go on from: give it to `from`, in this program or a later one. One position for each shard of the broker,
 * and the epoch that they belong to. Plain data, to be kept as JSON.
 */
export interface ResumePoint {
  after: number[];
  epoch: string;
}

/** Whether a subscription that went on from a point has a gap. */
export interface Recovery {
  /** No message that matches the filter is missing since the point. */
  recovered: boolean;
  /**
   * Why some may be missing, where the broker says why: "kept" (older than what is kept), "expired", "limit", "epoch"
   * (another store, or a broker without one that was started again) or "crash".
   */
  lost?: string;
}

/** The shard of a position: its low 8 bits. Positions are below 2^53, past what bit operations take. */
function shardOf(position: number): number {
  return position % 256;
}

/**
 * Raises the entry of the position's shard, which is added where there is none; whether that changed anything.
 * 0 is the position of messages for one client alone, and has no place.
 */
export function raise(positions: number[], position: number): boolean {
  if (position === 0) return false;
  const shard = shardOf(position);
  // Brokers give the list in the order of the shards, so that the first look mostly finds it.
  const expected = positions[shard];
  const at =
    expected !== undefined && shardOf(expected) === shard
      ? shard
      : positions.findIndex((known) => shardOf(known) === shard);
  const known = positions[at];
  if (known === undefined) {
    positions.push(position);
    return true;
  }
  if (known >= position) return false;
  positions[at] = position;
  return true;
}

/** What losses leave the positions meaning something to the broker. */
const WITHIN_THE_EPOCH: ReadonlySet<string | undefined> = new Set(["kept", "expired", "limit", "crash"]);

/** Whether the list from which it went on is still good, to be raised by what follows. */
export function keepsTheList(recovery: Recovery): boolean {
  return recovery.recovered || WITHIN_THE_EPOCH.has(recovery.lost);
}

/**
 * Keeps the resume point of one subscription. A *run* is a stretch within which positions belong together; a new one
 * begins where the subscription had to begin anew, and nothing of an old run says anything about a new one.
 */
export class Tracker {
  #run = 0;
  #point: ResumePoint | undefined;

  constructor(point?: ResumePoint) {
    this.#point = point && { after: [...point.after], epoch: point.epoch };
  }

  /** Where to go on; undefined before CAUGHT_UP. */
  get point(): ResumePoint | undefined {
    return this.#point && { after: [...this.#point.after], epoch: this.#point.epoch };
  }

  /** The run of what came last. */
  get run(): number {
    return this.#run;
  }

  /** What follows belongs to `run`. */
  begin(run: number): void {
    if (this.#run === run) return;
    this.#run = run;
    this.#point = undefined;
  }

  /** A message of `run` came. */
  message(run: number, position: number): void {
    this.begin(run);
    if (this.#point) raise(this.#point.after, position);
  }

  /** All kept messages of `run` came. */
  caughtUp(run: number, point: ResumePoint): void {
    this.#run = run;
    this.#point = { after: [...point.after], epoch: point.epoch };
  }
}
