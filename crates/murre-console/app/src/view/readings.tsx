// The list of topics: only the rows in sight are in the document, however many there are.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Row, Rows } from "../model/rows.js";
import { WATCH_RATE, type Watch } from "../model/watch.js";
import { useNarrow, useTick } from "./hooks.js";
import { ReadingRow } from "./row.js";

/** Rows kept ready above and below what is seen. */
const MARGIN_ROWS = 6;
/** Pixels of a row, as in the style sheet; a phone has each on two lines. */
const ROW_HEIGHT = { wide: 32, narrow: 56 };

interface Props {
  watch: Watch;
  search: string;
  isPaused: boolean;
  selected: string;
  onSelect(topic: string): void;
}

/** The tree, or what a search finds, as a grid that is moved through with the arrow keys. */
export function Readings({ watch, search, isPaused, selected, onSelect }: Props) {
  const now = useTick(isPaused);
  const [, redraw] = useState(0);
  const model = useMemo(() => new Rows(watch.topics), [watch]);
  const rows = model.of(search);
  const height = useNarrow() ? ROW_HEIGHT.narrow : ROW_HEIGHT.wide;
  const [active, setActive] = useState("");
  const { scroller, first, last, reveal } = useWindow(rows.length, height);

  const open = (row: Row, isOpen: boolean) => {
    if (row.level) model.open(row.level, isOpen);
    redraw((count) => count + 1);
  };
  const choose = (row: Row) => {
    setActive(row.key);
    if (row.topic) onSelect(row.topic.name);
    else open(row, !row.isOpen);
  };
  const go = (index: number) => {
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    if (!row) return;
    setActive(row.key);
    reveal(rows.indexOf(row));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = rows.findIndex(({ key }) => key === active);
    const row = rows[at];
    const page = Math.max(1, last - first - 2 * MARGIN_ROWS - 1);
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => row && open(row, true),
      ArrowLeft: () => row && (row.isOpen ? open(row, false) : go(parentOf(rows, at))),
      Enter: () => row && choose(row),
      " ": () => row && choose(row),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };

  const shown = rows.slice(first, last);
  const activeAt = shown.findIndex(({ key }) => key === active);
  return (
    <section id="readings" class="readings" tabIndex={-1} aria-label="Readings">
      <div class="heads" aria-hidden="true">
        <span>Topic</span>
        <span class="value">Last value</span>
        <span>Trend</span>
        <span class="rate">Rate</span>
        <span class="age">Age</span>
      </div>
      {rows.length === 0 && <p class="empty">{emptyText(watch)}</p>}
      <div
        ref={scroller}
        class="scroller"
        role="treegrid"
        tabIndex={0}
        aria-label="Topics with their last values"
        aria-rowcount={rows.length}
        aria-activedescendant={activeAt < 0 ? undefined : `row-${first + activeAt}`}
        onKeyDown={onKeyDown}
      >
        <div class="all" role="rowgroup" style={{ height: `${rows.length * height}px` }}>
          {shown.map((row, index) => (
            <ReadingRow
              key={row.key}
              row={row}
              index={first + index}
              top={(first + index) * height}
              now={now}
              rateMax={row.topic && watch.isThinned ? WATCH_RATE : Number.POSITIVE_INFINITY}
              isActive={row.key === active}
              isSelected={row.topic !== undefined && row.topic.name === selected}
              onChoose={choose}
              onOpen={open}
            />
          ))}
        </div>
      </div>
    </section>
  );
}

/** Which rows are in sight of a list that scrolls. */
function useWindow(count: number, height: number) {
  const scroller = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ top: 0, size: 0 });
  useEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const look = () => setSight({ top: element.scrollTop, size: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  const first = Math.max(0, Math.min(Math.floor(sight.top / height), count) - MARGIN_ROWS);
  const last = Math.min(count, Math.ceil((sight.top + sight.size) / height) + MARGIN_ROWS);
  const reveal = (index: number) => {
    const element = scroller.current;
    if (!element) return;
    const [above, below] = [index * height, (index + 1) * height - element.clientHeight];
    if (element.scrollTop > above) element.scrollTop = above;
    else if (element.scrollTop < below) element.scrollTop = below;
  };
  return { scroller, first, last, reveal };
}

function parentOf(rows: readonly Row[], at: number): number {
  const depth = rows[at]?.depth ?? 1;
  for (let index = at - 1; index >= 0; index -= 1) if ((rows[index]?.depth ?? 1) < depth) return index;
  return at;
}

function emptyText({ topics, isCaughtUp, filter, problem }: Watch): string {
  if (problem) return "";
  if (topics.size > 0) return "No topic matches the search.";
  return isCaughtUp ? `Nothing has been published on ${filter} yet.` : "Waiting for the broker…";
}
