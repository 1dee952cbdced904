// Try it: what a view does, side by side with what it is a view of.

import { useEffect, useState } from "preact/hooks";
import { decimalsOf, formatNumber } from "../../../page/figures.js";
import { onOneLine } from "../model/payload.js";
import { fromSearch, optionsOf, type Problems, type Settings, toSearch } from "../model/settings.js";
import { type Side, Trial } from "../model/trial.js";
import { useTick } from "./hooks.js";
import { TryForm } from "./try_form.js";

/** What is tried where an address says nothing. */
const EXAMPLE: Settings = { filter: "#", from: "last", max_rate: "1" };

/** See the top of the file. The address has what is tried, so that it can be given on. */
export function TryIt() {
  const [settings, setSettings] = useState<Settings>(() => {
    const found = fromSearch(location.search);
    return Object.keys(found).length > 0 ? found : EXAMPLE;
  });
  const [problems, setProblems] = useState<Problems>({});
  const [trial, setTrial] = useState<Trial>();
  useEffect(() => {
    const made = new Trial(location.origin, settings);
    setTrial(made);
    return () => made.close();
  }, [settings]);
  const begin = (wanted: Settings) => {
    const { problems: found } = optionsOf(wanted);
    setProblems(found);
    if (Object.keys(found).length > 0) return;
    history.replaceState(null, "", toSearch(location.search, wanted) + location.hash);
    setSettings({ ...wanted });
  };
  useTick();
  return (
    <section class="try" aria-label="Try it">
      <TryForm settings={settings} problems={{ ...trial?.problems, ...problems }} onBegin={begin} />
      {trial && (
        <div class="sides">
          <SideView title="Without the view" side={trial.plain} />
          <SideView title="With the view" side={trial.viewed} saved={trial.saved} />
        </div>
      )}
    </section>
  );
}

/** What one of both got, and what it cost. */
function SideView({ title, side, saved }: { title: string; side: Side; saved?: number | undefined }) {
  const now = performance.now();
  return (
    <section class="side" aria-label={title}>
      <div class="side-head">
        <h2>{title}</h2>
        {saved !== undefined && <p class="saved">{formatNumber(saved * 100, saved > 0.99 ? 1 : 0)} % less</p>}
      </div>
      <dl class="costs">
        <Cost name="Messages" value={formatNumber(side.messages)} />
        <Cost name="Messages/s" value={rate(side.messageRate.perSecond(now))} />
        <Cost name="Bytes" value={bytes(side.bytes)} />
        <Cost name="Bytes/s" value={bytes(side.byteRate.perSecond(now))} />
      </dl>
      {side.newest.length === 0 ? (
        <p class="empty">{side.problem ? "Refused." : "Nothing has come yet."}</p>
      ) : (
        <ol class="newest" tabIndex={0} aria-label={`${title}: the newest messages`}>
          {side.newest.map((message, index) => (
            <li key={side.messages - index}>
              <time class="quiet">{new Date(message.time).toLocaleTimeString(undefined, { hourCycle: "h23" })}</time>
              <span class="quiet topic">{message.topic}</span>
              <span class="text">{onOneLine(message)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Cost({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function rate(perSecond: number | null): string {
  return perSecond === null ? "–" : formatNumber(perSecond, perSecond < 9.95 ? 1 : 0);
}

/** Bytes in the largest unit of which there is one, in steps of 1,000. */
function bytes(count: number | null): string {
  if (count === null) return "–";
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  const value = count / 1000 ** power;
  const decimals = power > 0 && value < 100 ? 1 : 0;
  return `${formatNumber(value, Math.min(decimals, decimalsOf(value)))} ${["B", "kB", "MB", "GB"][power]}`;
}
