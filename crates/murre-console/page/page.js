// Murre's page: shows what is published under a filter, and publishes.
//
// | module | holds |
// |---|---|
// | connection.js | the WebSocket and the packets |
// | topics.js | what is known of each topic |
// | figures.js | numbers, rates, ages and sparklines for people |
// | table.js | the table's rows |
// | page.js | the parts put together: drawing, one topic in full, publishing, the controls |
//
// A message only changes data. The document is changed by `draw`, a few times a second, so that neither the
// number of topics nor the rate of messages can stall the page.

import { Connection } from "./connection.js";
import { formatAge, formatNumber, formatRate, sparkline, textOf } from "./figures.js";
import { Table, element, setText } from "./table.js";
import { Topics } from "./topics.js";

const DRAW_MS = 250; // Between two drawings.
const NOTICES_MAX = 5;
const RECENT_TEXT_MAX = 200; // Characters of one of the last messages.
const FORMATS = ["raw", "MessagePack", "JSON", "text"];

const byId = (id) => document.getElementById(id);

const table = new Table(byId("table"));
let topics = new Topics();
let layoutIsStale = true;
let isPaused = false;
let drawnAt = 0;

const connection = new Connection({
  state: showConnection,
  connected: (info) => setText(byId("server"), info.server ?? ""),
  subscribed: showFilterProblem,
  message: (packet, isPast) => topics.take(packet, performance.now(), isPast),
  caughtUp: () => (layoutIsStale = true),
  beginsAnew: () => topics.beginAnew(),
  published: showPublished,
  notice: showNotice,
});

// ---- Drawing -------------------------------------------------------------------------------------------------

function draw(now) {
  requestAnimationFrame(draw);
  if (now - drawnAt < DRAW_MS || isPaused) return;
  drawnAt = now;
  if (layoutIsStale || topics.hasNew) layOut();
  table.show(now);
  const rate = topics.total.perSecond(now) ?? 0;
  setText(byId("total-rate"), formatNumber(rate, rate < 9.95 ? 1 : 0));
  if (detail.open) showDetail(now);
}

function layOut() {
  layoutIsStale = false;
  const wanted = byId("search").value.trim().toLowerCase();
  const all = topics.sorted();
  const matching = wanted ? all.filter(({ name }) => name.toLowerCase().includes(wanted)) : all;
  table.layOut(matching);
  setText(byId("topic-count"), formatNumber(topics.size));
  byId("empty").hidden = matching.length > 0;
  setText(byId("empty"), emptyText());
  const hidden = matching.length - table.size;
  byId("more").hidden = hidden === 0 && topics.leftOut === 0;
  setText(byId("more"), `${formatNumber(hidden)}${topics.leftOut ? " and more" : ""} topics not shown: ` +
    "narrow the filter, or search.");
}

function emptyText() {
  if (topics.size > 0) return "No topic matches the search.";
  return connection.isCaughtUp ? `Nothing has been published on ${connection.filter} yet.` : "Waiting for the broker…";
}

function showConnection(state, text) {
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), text);
  byId("reconnect").hidden = state === "live" || state === "connecting";
}

function showFilterProblem(problem) {
  byId("filter-problem").hidden = !problem;
  setText(byId("filter-problem"), problem && `The broker refused ${connection.filter}: ${problem}`);
  byId("filter").setAttribute("aria-invalid", String(problem !== ""));
}

function showNotice({ kind = "notice", reason = "", count }) {
  const item = element("li");
  const title = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}${count ? ` (${count})` : ""}`;
  const dismiss = element("button", "", "×");
  dismiss.type = "button";
  dismiss.setAttribute("aria-label", "Dismiss the notice");
  dismiss.addEventListener("click", () => item.remove());
  item.append(element("span", "", `${title}: ${reason}`), dismiss);
  byId("notices").prepend(item);
  while (byId("notices").children.length > NOTICES_MAX) byId("notices").lastElementChild.remove();
}

// ---- One topic in full ---------------------------------------------------------------------------------------

const detail = byId("detail");
let detailTopic = null;

function openDetail(topic) {
  detailTopic = topic;
  setText(byId("detail-topic"), topic.name);
  detail.showModal();
  showDetail(performance.now());
}

function showDetail(now) {
  const topic = detailTopic;
  setText(byId("detail-format"), FORMATS[topic.format] ?? String(topic.format));
  setText(byId("detail-rate"), formatRate(topic.rate(now)) || "–");
  setText(byId("detail-age"), formatAge(now - topic.arrived));
  setText(byId("detail-time"), new Date(topic.time).toLocaleString());
  setText(byId("detail-position"), String(topic.position));
  byId("detail-line").setAttribute("d", sparkline(topic.points, 600, 120));
  setText(byId("detail-payload"), textOf(topic.payload, 2));
  showRecent(topic.recent);
}

/** The last messages, a line each. */
function showRecent(recent) {
  const list = byId("detail-recent");
  while (list.children.length < recent.length) {
    const line = list.appendChild(element("li"));
    line.append(element("span", "quiet"), element("span", "text"));
  }
  while (list.children.length > recent.length) list.lastElementChild.remove();
  for (const [index, { time, payload, encoded }] of recent.entries()) {
    const [when, what] = list.children[index].children;
    const text = textOf(payload);
    setText(when, new Date(time).toLocaleTimeString());
    setText(what, encoded ? `${text.length} characters of base64` : text.slice(0, RECENT_TEXT_MAX));
  }
}

// ---- Publishing ----------------------------------------------------------------------------------------------

let publishId = 0;

/** The payload and its format: JSON where it reads as JSON, else text. Throws where JSON was asked for. */
function payloadOf(text, format) {
  if (format === "text") return { payload: text, format: 3 };
  try {
    return { payload: JSON.parse(text), format: 2 };
  } catch (problem) {
    if (format === "json") throw new Error(`Not JSON: ${problem.message}`);
    return { payload: text, format: 3 };
  }
}

function publish(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  try {
    publishId += 1;
    const packet = { type: "publish", topic: form.get("topic"), id: publishId,
      ...payloadOf(form.get("payload"), form.get("format")) };
    if (form.get("retain")) packet.options = { retain: true };
    if (!connection.isReady || !connection.send(packet)) throw new Error("Not connected: nothing was published");
    showResult("waiting", "Publishing…");
  } catch (problem) {
    showResult("refused", problem.message);
  }
}

function showPublished({ id, code, reason }) {
  if (id !== publishId) return;
  showResult(code ? "refused" : "accepted", code ? `Refused (${code}): ${reason ?? ""}` : "Published");
}

function showResult(state, text) {
  byId("publish-result").dataset.state = state;
  setText(byId("publish-result"), text);
}

// ---- The controls --------------------------------------------------------------------------------------------

function changeFilter(event) {
  event.preventDefault();
  const filter = byId("filter").value.trim() || "#";
  byId("filter").value = filter;
  const address = new URL(location.href);
  address.searchParams.set("filter", filter);
  history.replaceState(null, "", address);
  topics = new Topics();
  layoutIsStale = true;
  showFilterProblem("");
  connection.changeFilter(filter);
}

byId("subscription").addEventListener("submit", changeFilter);
byId("search").addEventListener("input", () => (layoutIsStale = true));
byId("pause").addEventListener("click", ({ currentTarget }) => {
  isPaused = !isPaused;
  currentTarget.setAttribute("aria-pressed", String(isPaused));
});
byId("reconnect").addEventListener("click", () => connection.connect());
byId("publish-form").addEventListener("submit", publish);
byId("table").addEventListener("click", ({ target }) => {
  const topic = topics.get(target.closest("tr")?.dataset.topic);
  if (topic) openDetail(topic);
});
byId("detail-publish").addEventListener("click", () => {
  detail.close();
  byId("publish").open = true;
  byId("publish-topic").value = detailTopic.name;
  byId("publish-payload").focus();
});
addEventListener("online", () => connection.isReady || connection.connect());

connection.filter = new URL(location.href).searchParams.get("filter") || "#";
byId("filter").value = connection.filter;
connection.connect();
requestAnimationFrame(draw);
