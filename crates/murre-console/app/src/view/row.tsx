// One row of the list: a topic with its last value, or a level with what is below it.

import { decimalsOf, formatAge, formatNumber, formatRate, labelOf, sparkline } from "../../../page/figures.js";
import { onOneLine } from "../model/payload.js";
import type { Row } from "../model/rows.js";
import type { Topic } from "../model/topic.js";

/** Numbers of one payload that a row has; all of it is a click away. */
const NUMBERS_MAX = 3;
/** Milliseconds for which a value that has changed is marked. */
const FRESH_MS = 400;

interface Props {
  row: Row;
  index: number;
  /** Pixels from the top of the list. */
  top: number;
  now: number;
  /** Messages a second of each topic that the page gets at most; infinite where it gets all. */
  rateMax: number;
  isActive: boolean;
  isSelected: boolean;
  onChoose(row: Row): void;
  onOpen(row: Row, isOpen: boolean): void;
}

/** See the top of the file. */
export function ReadingRow({ row, index, top, now, rateMax, isActive, isSelected, onChoose, onOpen }: Props) {
  const { topic, level, depth, isOpen } = row;
  const source = topic ?? level;
  const rate = topic ? topic.rate(now) : (level?.rate.perSecond(now) ?? null);
  const isStale = topic?.isStale(now) ?? false;
  const isFresh = topic !== undefined && now - topic.changed < FRESH_MS;
  return (
    <div
      id={`row-${index}`}
      role="row"
      class={`row${topic ? "" : " only-level"}${isActive ? " active" : ""}${isFresh ? " fresh" : ""}`}
      style={{ transform: `translateY(${top}px)` }}
      data-topic={topic?.name}
      aria-level={depth}
      aria-rowindex={index + 1}
      aria-expanded={level ? isOpen : undefined}
      aria-selected={isSelected}
      onClick={() => onChoose(row)}
    >
      <span role="gridcell" class="name" style={{ paddingLeft: `${depth - 1}rem` }} title={row.key}>
        <span
          class={level ? "toggle" : "toggle none"}
          aria-hidden="true"
          onClick={(event) => {
            if (!level) return;
            event.stopPropagation();
            onOpen(row, !isOpen);
          }}
        >
          {isOpen ? "▾" : "▸"}
        </span>
        <span class="label">
          <span class="parents">{row.parents}</span>
          {row.label || "/"}
        </span>
        {topic?.message?.retained && (
          <span class="mark" title="Kept by the broker; nothing has come since this page was opened">
            kept
          </span>
        )}
        {level && <span class="quiet count">{topic ? level.count - 1 : level.count}</span>}
      </span>
      <span role="gridcell" class="value">
        {topic && <Value topic={topic} />}
      </span>
      <span role="gridcell" class="trend">
        {topic && <Sparkline topic={topic} />}
      </span>
      <span role="gridcell" class="rate">
        {rate !== null && rate > 0.9 * rateMax ? `over ${formatRate(0.9 * rateMax)}` : formatRate(rate)}
      </span>
      <span
        role="gridcell"
        class={isStale ? "age stale" : "age"}
        title={isStale ? "Overdue, by how it came before" : undefined}
      >
        {source && formatAge(now - source.arrived)}
      </span>
    </div>
  );
}

/** The payload on one line: its first numbers with their names, or its text. */
function Value({ topic }: { topic: Topic }) {
  const { numbers, message, decimals } = topic;
  if (numbers.length === 0) return <span class="text">{message && onOneLine(message)}</span>;
  return (
    <span class="line">
      {numbers.slice(0, NUMBERS_MAX).map(([path, number], index) => (
        <span class="pair" key={path}>
          {path && (
            <span class="key" title={path}>
              {labelOf(path)}
            </span>
          )}
          {formatNumber(number, index === 0 ? decimals : decimalsOf(number))}
        </span>
      ))}
    </span>
  );
}

function Sparkline({ topic }: { topic: Topic }) {
  return (
    <svg viewBox="0 0 128 24" preserveAspectRatio="none" aria-hidden="true">
      <path d={sparkline(topic.points, 128, 24)} />
    </svg>
  );
}
