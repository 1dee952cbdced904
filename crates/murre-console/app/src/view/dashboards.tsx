// The dashboards: one at a time, its widgets in an order that is dragged or chosen, kept by this browser.

import type { Client } from "murre";
import { useRef, useState } from "preact/hooks";
import { labelOf } from "../../../page/figures.js";
import {
  type Dashboard,
  fromAddress,
  KINDS,
  type Kind,
  NAME_MAX,
  parseDashboard,
  toAddress,
  withMoved,
} from "../model/dashboard.js";
import { DEMO } from "../model/demo.js";
import type { Shelf } from "./use_shelf.js";
import { WidgetBody } from "./widget.js";

/** See the top of the file. */
export function Dashboards({ client, shelf }: { client: Client; shelf: Shelf }) {
  const { dashboard, change } = shelf;
  return (
    <section class="dashboards" aria-label="Dashboards">
      <Bar shelf={shelf} />
      {dashboard.widgets.length === 0 && (
        <p class="empty">
          Nothing is pinned here yet. Choose a topic under Topics, and pin one of its numbers or its payload.
        </p>
      )}
      <Grid client={client} dashboard={dashboard} onChange={change} />
    </section>
  );
}

/** Which dashboard; its name; sharing it, and taking one in. */
function Bar({ shelf }: { shelf: Shelf }) {
  const { all, at, dashboard, change } = shelf;
  const [said, setSaid] = useState("");
  const share = async () => {
    const address = new URL(location.pathname, location.origin);
    address.searchParams.set("view", "dashboards");
    address.hash = toAddress(dashboard);
    try {
      await navigator.clipboard.writeText(address.href);
      setSaid("Its address is in the clipboard.");
    } catch {
      history.replaceState(null, "", address);
      setSaid("Its address is the page's address now.");
    }
  };
  const take = async (file: File | undefined) => {
    try {
      if (file) shelf.add(parseDashboard(await file.text()));
      setSaid("");
    } catch (problem) {
      setSaid(`${file?.name} is no dashboard: ${(problem as Error).message}`);
    }
  };
  return (
    <div class="bar">
      <label>
        Dashboard
        <select value={String(at)} onChange={(event) => shelf.choose(Number(event.currentTarget.value))}>
          {all.map(({ name }, index) => (
            <option key={`${index} ${name}`} value={String(index)}>
              {name || "Unnamed"}
            </option>
          ))}
        </select>
      </label>
      <label>
        Name
        <input
          type="text"
          maxLength={NAME_MAX}
          value={dashboard.name}
          onInput={(event) => change({ ...dashboard, name: event.currentTarget.value })}
        />
      </label>
      <button type="button" onClick={() => shelf.add({ name: `Dashboard ${all.length + 1}`, widgets: [] })}>
        New
      </button>
      <button type="button" onClick={shelf.remove}>
        Delete
      </button>
      <button type="button" onClick={share}>
        Share
      </button>
      <button type="button" onClick={() => download(dashboard)}>
        Export
      </button>
      <label class="file">
        <span>Import</span>
        <input
          type="file"
          accept="application/json,.json"
          onChange={(event) => void take(event.currentTarget.files?.[0])}
        />
      </label>
      <output>{said}</output>
    </div>
  );
}

interface GridProps {
  client: Client;
  dashboard: Dashboard;
  onChange(dashboard: Dashboard): void;
}

function Grid({ client, dashboard, onChange }: GridProps) {
  const dragged = useRef<number>(undefined);
  const { widgets } = dashboard;
  const setKind = (index: number, kind: Kind) =>
    onChange({ ...dashboard, widgets: widgets.map((each, at) => (at === index ? { ...each, kind } : each)) });
  const move = (from: number, to: number) => onChange(withMoved(dashboard, from, to));
  const drop = (to: number) => {
    if (dragged.current !== undefined) move(dragged.current, to);
    dragged.current = undefined;
  };
  return (
    <ol class="widgets">
      {widgets.map((widget, index) => {
        const name = `${widget.topic} ${labelOf(widget.path)}`.trim();
        return (
          <li
            key={`${widget.topic}\n${widget.path}`}
            class="widget"
            data-kind={widget.kind}
            draggable
            onDragStart={() => {
              dragged.current = index;
            }}
            onDragOver={(event) => event.preventDefault()}
            onDrop={(event) => {
              event.preventDefault();
              drop(index);
            }}
          >
            <div class="widget-head">
              <h2 title={`${widget.topic} ${widget.path}`}>
                {labelOf(widget.path) || "payload"} <span class="quiet">{widget.topic}</span>
              </h2>
              <select
                aria-label={`How ${name} is shown`}
                value={widget.kind}
                onChange={(event) => setKind(index, event.currentTarget.value as Kind)}
              >
                {KINDS.map((kind) => (
                  <option key={kind} value={kind}>
                    {kind}
                  </option>
                ))}
              </select>
              <button
                type="button"
                aria-label={`Move ${name} forward`}
                disabled={index === 0}
                onClick={() => move(index, index - 1)}
              >
                ←
              </button>
              <button
                type="button"
                aria-label={`Move ${name} back`}
                disabled={index === widgets.length - 1}
                onClick={() => move(index, index + 1)}
              >
                →
              </button>
              <button
                type="button"
                aria-label={`Remove ${name}`}
                onClick={() => onChange({ ...dashboard, widgets: widgets.filter((_, at) => at !== index) })}
              >
                ×
              </button>
            </div>
            <WidgetBody client={client} widget={widget} />
          </li>
        );
      })}
    </ol>
  );
}

/** The dashboard as a file. */
function download(dashboard: Dashboard): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(dashboard, null, 2)], { type: "application/json" }));
  link.download = `${dashboard.name.replace(/[^\p{L}\p{N}]+/gu, "-") || "dashboard"}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Takes a dashboard out of the page's address, if it has one that can be read: from then on this browser has it. */
export function takeSharedDashboard(): Dashboard | undefined {
  const shared = sharedBy(location.hash.slice(1));
  if (shared) history.replaceState(null, "", location.pathname + location.search);
  return shared;
}

function sharedBy(text: string): Dashboard | undefined {
  if (text === "demo") return DEMO;
  try {
    return fromAddress(text);
  } catch {
    return undefined; // A place in the page, or an address that was cut short.
  }
}
