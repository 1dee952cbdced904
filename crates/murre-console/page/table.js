// The table of topics. Rows are made once and moved; only those in sight are brought up to date.

import { decimalsOf, formatAge, formatNumber, formatRate, labelOf, sparkline, textOf } from "./figures.js";

const ROWS_MAX = 500; // Rows in the document; the search finds the other topics.
const NUMBERS_MAX = 3; // Of one payload; all of it is a click away.
const TEXT_MAX = 160; // Characters of a value that isn't a number.
const SVG = "http://www.w3.org/2000/svg";

/** A new HTML element. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Changes the text only where it differs: the browser then has nothing to lay out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export class Table {
  #table;
  #rows = new Map(); // Topic to its row.
  #inSight = new WeakSet();
  #observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#inSight.add(target);
      else this.#inSight.delete(target);
    }
  }, { rootMargin: "200px" });

  constructor(table) {
    this.#table = table;
  }

  /** Topics that have a row. */
  get size() {
    return this.#rows.size;
  }

  /** Gives the first ROWS_MAX topics their rows, a group for each first level. */
  layOut(topics) {
    const shown = topics.slice(0, ROWS_MAX);
    this.#dropOthers(new Set(shown));
    const focused = document.activeElement;
    const counts = countByFirstLevel(topics);
    const bodies = [];
    let group = null;
    for (const topic of shown) {
      const name = firstLevel(topic);
      if (group !== name) bodies.push(makeGroup(name, counts.get(name)));
      group = name;
      if (!this.#rows.has(topic)) this.#rows.set(topic, this.#makeRow(topic));
      bodies.at(-1).append(this.#rows.get(topic).row);
    }
    for (const body of [...this.#table.tBodies]) body.remove();
    this.#table.append(...bodies);
    if (focused !== document.activeElement && this.#table.contains(focused)) focused.focus({ preventScroll: true });
  }

  /** Brings the rows in sight up to date. */
  show(now) {
    for (const [topic, row] of this.#rows) {
      if (row.isNew || this.#inSight.has(row.row)) showRow(row, topic, now);
    }
  }

  #dropOthers(keep) {
    for (const [topic, { row }] of this.#rows) {
      if (keep.has(topic)) continue;
      this.#observer.unobserve(row);
      this.#rows.delete(topic);
    }
  }

  #makeRow(topic) {
    const row = withRole(element("tr"), "row");
    row.dataset.topic = topic.name;
    row.append(...["topic", "value", "trend", "rate", "age"].map((name) => withRole(element("td", name), "cell")));
    const [name, value, trend, rate, age] = row.cells;
    name.append(makeName(topic.name));
    const chart = trend.appendChild(document.createElementNS(SVG, "svg"));
    chart.setAttribute("viewBox", "0 0 128 24");
    chart.setAttribute("preserveAspectRatio", "none");
    chart.setAttribute("aria-hidden", "true");
    const path = chart.appendChild(document.createElementNS(SVG, "path"));
    this.#observer.observe(row);
    return { row, value, path, rate, age, isNew: true };
  }
}

function withRole(node, role) {
  // Said aloud, since a narrow window lays the table out as a grid, which takes its meaning away.
  node.setAttribute("role", role);
  return node;
}

function makeName(name) {
  const button = element("button", "name");
  button.type = "button";
  const cut = name.lastIndexOf("/") + 1;
  button.append(element("span", "parents", name.slice(0, cut)), name.slice(cut));
  return button;
}

function firstLevel(topic) {
  return topic.name.split("/", 1)[0];
}

function countByFirstLevel(topics) {
  const counts = new Map();
  for (const topic of topics) counts.set(firstLevel(topic), (counts.get(firstLevel(topic)) ?? 0) + 1);
  return counts;
}

function makeGroup(name, count) {
  const body = withRole(element("tbody"), "rowgroup");
  const row = withRole(body.appendChild(element("tr", "group")), "row");
  const head = withRole(row.appendChild(element("th", "", name || "/")), "rowheader");
  head.colSpan = 5;
  head.scope = "rowgroup";
  head.append(element("span", "quiet", count === 1 ? "1 topic" : `${count} topics`));
  return body;
}

function showRow(row, topic, now) {
  row.row.classList.toggle("fresh", topic.changed && !row.isNew);
  if (topic.changed || row.isNew) {
    row.value.replaceChildren(valueNode(topic));
    row.path.setAttribute("d", sparkline(topic.points, 128, 24));
  }
  topic.changed = false;
  row.isNew = false;
  setText(row.rate, formatRate(topic.rate(now)));
  setText(row.age, formatAge(now - topic.arrived));
}

/** The payload on one line: its first numbers with their names, or its text. */
function valueNode({ payload, encoded, numbers, decimals }) {
  const line = element("div", "line");
  if (encoded) line.append(element("span", "text unread", `${payload?.length ?? 0} characters of base64`));
  else if (numbers.length === 0) line.append(element("span", "text", textOf(payload).slice(0, TEXT_MAX)));
  // What doesn't fit wraps out of sight as a whole, so that no number is ever cut short.
  for (const [index, [path, number]] of numbers.slice(0, NUMBERS_MAX).entries()) {
    const pair = line.appendChild(element("span", "pair"));
    if (path) pair.append(makeKey(path));
    pair.append(formatNumber(number, index === 0 ? decimals : decimalsOf(number)));
  }
  return line;
}

function makeKey(path) {
  const key = element("span", "key", labelOf(path));
  key.title = path;
  return key;
}
