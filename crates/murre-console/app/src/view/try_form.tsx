// The options of a subscription as a form; what is wrong is said at the option that it concerns.

import { BEGINNINGS, type Problems, SETTINGS, type Setting, type Settings } from "../model/settings.js";
import { plainText } from "./fields.js";

interface Props {
  settings: Settings;
  problems: Problems;
  onBegin(settings: Settings): void;
}

interface FieldOf {
  setting: Setting;
  label: string;
  hint?: string;
}

const NARROWING: readonly FieldOf[] = [
  { setting: "where", label: "Only where", hint: "payload.celsius > 30.0" },
  { setting: "select", label: "Only these paths", hint: "celsius, position.lat" },
];
const DEADBAND: readonly FieldOf[] = [
  { setting: "deadband.path", label: "Path", hint: "celsius" },
  { setting: "deadband.abs", label: "By", hint: "0.5" },
  { setting: "deadband.percent", label: "Or percent", hint: "2" },
  { setting: "deadband.silence_max", label: "Or after s", hint: "60" },
];
const WINDOW: readonly FieldOf[] = [
  { setting: "window.seconds", label: "Seconds", hint: "10" },
  { setting: "window.step", label: "Step", hint: "as long" },
  { setting: "window.of", label: "Of paths", hint: "celsius" },
  { setting: "window.give", label: "Figures", hint: "min, mean, max" },
];
const TIMING: readonly FieldOf[] = [
  { setting: "max_rate", label: "Messages/s of a topic", hint: "2" },
  { setting: "expect", label: "Tell silence after s", hint: "10" },
];

/** See the top of the file. */
export function TryForm({ settings, problems, onBegin }: Props) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    onBegin(Object.fromEntries(SETTINGS.map((name) => [name, String(form.get(name) ?? "")])) as Settings);
  };
  const fields = (all: readonly FieldOf[]) =>
    all.map((field) => <Field key={field.setting} {...field} settings={settings} problems={problems} />);
  const check = (setting: Setting, label: string, value = "on") => (
    <label class="check">
      <input name={setting} type="checkbox" value={value} defaultChecked={settings[setting] === value} /> {label}
    </label>
  );
  return (
    <form class="try-form" aria-label="The subscription" onSubmit={submit}>
      <div class="fields">
        <Field setting="filter" label="Filter" hint="#" settings={settings} problems={problems} />
        <div class="field">
          <label for="try-from">Begin with</label>
          <select id="try-from" name="from" defaultValue={settings.from ?? "last"}>
            {BEGINNINGS.map(([value, label]) => (
              <option key={value} value={value} selected={value === settings.from}>
                {label}
              </option>
            ))}
          </select>
        </div>
        <Field setting="from.n" label="So many" hint="100" settings={settings} problems={problems} />
      </div>
      <div class="fields">{fields([...TIMING, ...NARROWING])}</div>
      <fieldset class="fields">
        <legend>Only when it has moved</legend>
        {fields(DEADBAND)}
      </fieldset>
      <fieldset class="fields">
        <legend>Figures over time instead</legend>
        {fields(WINDOW)}
        {check("window.by", "By the source's time", "source")}
        {check("window.empty", "Empty ones, too")}
      </fieldset>
      <div class="checks">
        {check("patch", "Only what changed (patch)")}
        {check("on_error", "Pass what can't be used", "pass")}
        <button type="submit">Subscribe</button>
      </div>
    </form>
  );
}

function Field({ setting, label, hint = "", settings, problems }: FieldOf & Pick<Props, "settings" | "problems">) {
  const id = `try-${setting.replaceAll(".", "-")}`;
  const problem = problems[setting];
  return (
    <div class="field" data-setting={setting}>
      <label for={id}>{label}</label>
      <input
        id={id}
        name={setting}
        type="text"
        placeholder={hint}
        defaultValue={settings[setting] ?? ""}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-problem`}
        {...plainText}
      />
      <p id={`${id}-problem`} class="problem" role={problem ? "alert" : undefined}>
        {problem}
      </p>
    </div>
  );
}
