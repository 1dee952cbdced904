// A field of a payload as people call it: `speed_mps` is "Speed" in m/s.

/** What the last word of a field's name says about its unit. */
const UNITS: Readonly<Record<string, string>> = {
  amperes: "A",
  bytes: "B",
  celsius: "°C",
  db: "dB",
  degrees: "°",
  fahrenheit: "°F",
  g: "g",
  hpa: "hPa",
  hz: "Hz",
  kg: "kg",
  kpa: "kPa",
  kph: "km/h",
  kw: "kW",
  kwh: "kWh",
  lux: "lx",
  metres: "m",
  mm: "mm",
  mps: "m/s",
  ms: "ms",
  pa: "Pa",
  percent: "%",
  rpm: "rpm",
  seconds: "s",
  volts: "V",
  watts: "W",
};

/** A name for people, and the unit; empty where the name doesn't say one. */
export interface FieldName {
  name: string;
  unit: string;
}

/** What the field at `path` of a topic's payloads is called, from its last word or, where that is a unit, from the rest. */
export function fieldName(topic: string, path: string): FieldName {
  const last = topic.slice(topic.lastIndexOf("/") + 1);
  const words = (path.split(".").at(-1) || last).split("_");
  const unit = UNITS[words.at(-1)?.toLowerCase() ?? ""] ?? "";
  if (unit) words.pop();
  // Nothing but a unit, or a place in a list: the topic says what it is.
  const name = words.join(" ");
  return { name: capitalised(name === "" || /^\d+$/.test(name) ? last.replaceAll("_", " ") : name), unit };
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
