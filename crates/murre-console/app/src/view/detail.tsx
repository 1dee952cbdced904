// One topic in full: its payload, its numbers over time with what was before, its last messages.

import type { Client, Message } from "murre";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { decimalsOf, formatAge, formatNumber, formatRate } from "../../../page/figures.js";
import type { Admin } from "../model/admin.js";
import { asCsv } from "../model/csv.js";
import { isPlace, type Widget } from "../model/dashboard.js";
import { FORMAT_NAMES, hexDump, inFull, onOneLine } from "../model/payload.js";
import { download } from "./download.js";
import { useTick } from "./hooks.js";
import { Plot } from "./plot.js";
import { useSeries, useTopic } from "./use_topic.js";
import { useWho, Who, WhoLine } from "./who.js";

interface Props {
  client: Client;
  admin: Admin;
  name: string;
  isPaused: boolean;
  onClose(): void;
  onPublish(): void;
  onPin(widget: Widget): void;
}

/** See the top of the file. */
export function Detail({ client, admin, name, isPaused, onClose, onPublish, onPin }: Props) {
  const now = useTick(isPaused);
  const box = useRef<HTMLElement>(null);
  const topic = useTopic(client, name);
  const series = useSeries(client, name, box);
  const [isHex, setHex] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), []);
  const who = useWho(client, admin, name);
  const message = topic?.message;
  return (
    <section
      ref={box}
      class="detail"
      aria-labelledby="detail-topic"
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <div class="detail-head">
        <h2 id="detail-topic" ref={heading} tabIndex={-1}>
          {name}
        </h2>
        <button type="button" onClick={onPublish}>
          Publish here
        </button>
        {series.times.length > 0 && (
          <button
            type="button"
            title="The numbers of the plots as a file"
            onClick={() => download(name, "csv", "text/csv", asCsv(series))}
          >
            CSV
          </button>
        )}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
      <WhoLine {...who} />
      {[...series.fields].map(([path, values]) => (
        <figure key={path}>
          <figcaption>
            <span>{path || "value"}</span>
            {isPlace(above(path)) && path.endsWith(".0") && (
              <Pin
                what={`track of ${above(path)}`}
                label="Pin track"
                onPin={() => onPin({ topic: name, path: above(path), kind: "track" })}
              />
            )}
            <Pin what={path || "value"} onPin={() => onPin({ topic: name, path, kind: "plot" })} />
            <strong>{shown(values.at(-1))}</strong>
          </figcaption>
          <Plot title={path} times={series.times} values={values} version={series.version} />
        </figure>
      ))}
      {topic && message ? (
        <>
          <dl class="facts">
            <Fact name="Format" value={FORMAT_NAMES[message.format]} />
            <Fact name="Bytes" value={formatNumber(message.payload.length)} />
            <Fact name="Rate" value={formatRate(topic.rate(now)) || "–"} />
            <Fact name="Age" value={formatAge(now - topic.arrived)} />
            <Fact name="Time" value={new Date(message.time).toLocaleString()} />
            <Fact name="Position" value={String(message.position)} />
          </dl>
          <div class="payload-head">
            <h3 id="payload-title">Payload</h3>
            <Pin what="payload" onPin={() => onPin({ topic: name, path: "", kind: "state" })} />
            <button type="button" aria-pressed={isHex} onClick={() => setHex(!isHex)}>
              Hex
            </button>
          </div>
          <pre tabIndex={0} role="region" aria-labelledby="payload-title">
            {isHex ? hexDump(message.payload) : inFull(message)}
          </pre>
        </>
      ) : (
        <p class="empty">Nothing has come on this topic yet.</p>
      )}
      <Who {...who} self={client.clientId} />
      {message && <Recent messages={topic.recent} />}
    </section>
  );
}

/** The path one step up: `a` of `a.0`. */
function above(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf(".")));
}

/** Puts a field on the dashboard that was last chosen. */
function Pin({ what, label = "Pin", onPin }: { what: string; label?: string; onPin(): void }) {
  const [isPinned, setPinned] = useState(false);
  const pin = () => {
    onPin();
    setPinned(true);
  };
  return (
    <button type="button" class="pin" aria-label={`Pin ${what} to the dashboard`} onClick={pin}>
      {isPinned ? "Pinned" : label}
    </button>
  );
}

function shown(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : formatNumber(value, decimalsOf(value));
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Recent({ messages }: { messages: readonly Message[] }) {
  return (
    <details class="recent" open>
      <summary>Last messages</summary>
      <ol>
        {messages.map((message) => (
          <li key={message.position}>
            <span class="quiet">{new Date(message.time).toLocaleTimeString()}</span>
            <span class="text">{onOneLine(message)}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}
