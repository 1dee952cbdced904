// A subscription's options as a person writes them: texts by the protocol's names, which also stand in an address.

import type { From, SubscribeOptions } from "murre";

/** What can be set, by the names of SUBSCRIBE; parts of an option behind a dot. */
export const SETTINGS = [
  "filter",
  "from",
  "from.n",
  "max_rate",
  "where",
  "select",
  "deadband.path",
  "deadband.abs",
  "deadband.percent",
  "deadband.silence_max",
  "window.seconds",
  "window.step",
  "window.of",
  "window.give",
  "window.by",
  "window.empty",
  "patch",
  "expect",
  "on_error",
] as const;
export type Setting = (typeof SETTINGS)[number];
export type Settings = Partial<Record<Setting, string>>;

/** What is wrong, and where. */
export type Problems = Partial<Record<Setting, string>>;

/** Where a subscription begins, as it is set. */
export const BEGINNINGS = [
  ["last", "the last values"],
  ["live", "what comes now"],
  ["last-n", "the last messages"],
  ["since", "seconds ago"],
] as const;

/** Where it begins and what it shows, for the SDK; or what can't be read. */
export function optionsOf(settings: Settings): { from: From; view: SubscribeOptions; problems: Problems } {
  const problems: Problems = {};
  const number = (name: Setting) => {
    const text = settings[name]?.trim();
    if (!text) return undefined;
    const value = Number(text.replace(",", "."));
    if (!Number.isFinite(value)) problems[name] = `${text} is no number`;
    return value;
  };
  const paths = (name: Setting) => settings[name]?.split(",").map((path) => path.trim());
  const view = {
    maxRate: number("max_rate"),
    where: settings.where?.trim() || undefined,
    select: settings.select?.trim() ? paths("select") : undefined,
    deadband: deadbandOf(settings, number),
    window: windowOf(settings, number, paths),
    patch: settings.patch === "on" || undefined,
    expect: number("expect"),
    onError: settings.on_error === "pass" ? "pass" : undefined,
  };
  const from = fromOf(settings, number("from.n"));
  return { from, view: said(view) as SubscribeOptions, problems };
}

type Reader<T> = (name: Setting) => T | undefined;

function deadbandOf({ "deadband.path": path }: Settings, number: Reader<number>) {
  const [abs, percent, silenceMax] = [
    number("deadband.abs"),
    number("deadband.percent"),
    number("deadband.silence_max"),
  ];
  if (abs === undefined && percent === undefined && silenceMax === undefined && !path) return undefined;
  return said({ path: path?.trim() || undefined, abs, percent, silenceMax });
}

function windowOf(settings: Settings, number: Reader<number>, paths: Reader<string[]>) {
  const seconds = number("window.seconds");
  const step = number("window.step");
  if (seconds === undefined) return undefined;
  const by = settings["window.by"] === "source" ? "source" : undefined;
  const empty = settings["window.empty"] === "on" || undefined;
  const give = paths("window.give")?.filter(Boolean);
  return said({ seconds, step, of: paths("window.of") ?? [""], give: give?.length ? give : ["mean"], by, empty });
}

function fromOf({ from = "last" }: Settings, n: number | undefined): From {
  if (from === "last-n") return { last: Math.max(1, Math.floor(n || 100)) };
  if (from === "since") return { since: Date.now() - 1000 * Math.max(0, n ?? 300) };
  return from === "live" ? "live" : "last";
}

/** Without what is undefined. */
function said(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

/** Which setting the broker means by a reason such as `SUBSCRIBE.options.window.of: …`. */
export function settingIn(reason: string): Setting {
  const named = /options\.([a-z_.]+)/.exec(reason)?.[1]?.replace(/\.$/, "") ?? "filter";
  const exact = SETTINGS.find((name) => name === named);
  const [option = ""] = named.split(".");
  return exact ?? SETTINGS.find((name) => name.split(".")[0] === option) ?? "filter";
}

const PREFIX = "try.";

/** The settings that an address has. */
export function fromSearch(search: string): Settings {
  const values = new URLSearchParams(search);
  const found = SETTINGS.map((name) => [name, values.get(PREFIX + name)] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== null)) as Settings;
}

/** An address's search part with these settings in place of those that it has. */
export function toSearch(search: string, settings: Settings): string {
  const values = new URLSearchParams(search);
  for (const name of SETTINGS) {
    const value = settings[name];
    if (value) values.set(PREFIX + name, value);
    else values.delete(PREFIX + name);
  }
  return `?${values}`;
}
