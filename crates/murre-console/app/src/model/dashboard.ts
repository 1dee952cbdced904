// Dashboards: which fields are pinned, how each is shown, and how all of it becomes text and comes back.

/** How a field is shown. */
export const KINDS = ["plot", "number", "gauge", "state", "track"] as const;
export type Kind = (typeof KINDS)[number];

/** A field of a topic's payloads on a dashboard. */
export interface Widget {
  topic: string;
  /** In the payload, its parts joined by dots; empty: the payload itself. */
  path: string;
  kind: Kind;
  /** What it is called, where its field's name doesn't say it well. */
  title?: string;
  /** How far a plot looks back: one of SPANS. */
  seconds?: number;
  /** Takes two places side by side. */
  wide?: boolean;
}

/** Seconds that a plot can look back, with their names. */
export const SPANS: readonly (readonly [seconds: number, name: string])[] = [
  [60, "1 min"],
  [300, "5 min"],
  [900, "15 min"],
  [3600, "1 h"],
  [21_600, "6 h"],
  [86_400, "24 h"],
];

/** Whether a field can be a track: GeoJSON's way to say where something is. */
export function isPlace(path: string): boolean {
  return path === "coordinates" || path.endsWith(".coordinates");
}

/** A named set of widgets, in the order that they are shown in. Never changed: another one takes its place. */
export interface Dashboard {
  name: string;
  widgets: readonly Widget[];
}

const WIDGETS_MAX = 48;
/** Characters of a name. */
export const NAME_MAX = 80;
const TEXT_MAX = 1024;

/** What everybody begins with. */
export const EMPTY: Dashboard = { name: "Dashboard", widgets: [] };

/** A dashboard from its JSON, which may come from anywhere. Throws an Error that says what is wrong. */
export function parseDashboard(text: string): Dashboard {
  return asDashboard(JSON.parse(text));
}

/** A dashboard from a value that JSON had. Throws an Error that says what is wrong. */
export function asDashboard(value: unknown): Dashboard {
  const { name, widgets } = asObject(value, "a dashboard");
  if (!Array.isArray(widgets)) throw new Error("a dashboard has a list of widgets");
  if (widgets.length > WIDGETS_MAX) throw new Error(`a dashboard has at most ${WIDGETS_MAX} widgets`);
  const empty: Dashboard = { name: textOf("a name", name, NAME_MAX), widgets: [] };
  return widgets.map(parseWidget).reduce(withWidget, empty);
}

function parseWidget(value: unknown): Widget {
  const { topic, path, kind, title, seconds, wide } = asObject(value, "a widget");
  const known = KINDS.find((each) => each === kind);
  if (!known) throw new Error(`a widget is one of ${KINDS.join(", ")}, not ${JSON.stringify(kind)}`);
  const span = SPANS.find(([each]) => each === seconds)?.[0];
  if (seconds !== undefined && !span)
    throw new Error(`a widget's seconds are one of ${SPANS.map(([each]) => each).join(", ")}, not ${seconds}`);
  return {
    topic: textOf("a topic", topic, TEXT_MAX),
    path: textOf("a path", path, TEXT_MAX),
    kind: known,
    ...(title === undefined ? {} : { title: textOf("a title", title, NAME_MAX) }),
    ...(span ? { seconds: span } : {}),
    ...(wide === true ? { wide } : {}),
  };
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error(`${what} is an object`);
  return value as Record<string, unknown>;
}

function textOf(what: string, value: unknown, max: number): string {
  if (typeof value !== "string" || value.length > max)
    throw new Error(`${what} is a text of at most ${max} characters`);
  return value;
}

/** For the address of a page: JSON in base64url. */
export function toAddress(dashboard: Dashboard): string {
  const bytes = new TextEncoder().encode(JSON.stringify(dashboard));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** From the address of a page. Throws an Error that says what is wrong. */
export function fromAddress(text: string): Dashboard {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return parseDashboard(new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0))));
}

/** With another widget; as it is where it has that one, or has no room. */
export function withWidget(dashboard: Dashboard, widget: Widget): Dashboard {
  const isThere = dashboard.widgets.some(({ topic, path }) => topic === widget.topic && path === widget.path);
  if (isThere || dashboard.widgets.length >= WIDGETS_MAX) return dashboard;
  return { ...dashboard, widgets: [...dashboard.widgets, widget] };
}

/** With the widget at `from` in the place `to`. */
export function withMoved(dashboard: Dashboard, from: number, to: number): Dashboard {
  const widgets = [...dashboard.widgets];
  const [moved] = widgets.splice(from, 1);
  if (!moved || to < 0 || to > widgets.length) return dashboard;
  widgets.splice(to, 0, moved);
  return { ...dashboard, widgets };
}
