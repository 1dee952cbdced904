// The dashboards: one at a time, its widgets in an order that is dragged or chosen, kept by this browser.

import type { Client } from "murre";
import { useRef, useState } from "preact/hooks";
import { type Dashboard, fromAddress, type Widget, withMoved } from "../model/dashboard.js";
import { DEMO } from "../model/demo.js";
import { DashboardBar } from "./dashboard_bar.js";
import type { Shelf } from "./use_shelf.js";
import { WidgetCard } from "./widget_card.js";

/** See the top of the file. What changes a dashboard is only there while it is edited. */
export function Dashboards({ client, shelf }: { client: Client; shelf: Shelf }) {
  const [isEdited, setEdited] = useState(false);
  const { dashboard, change } = shelf;
  return (
    <section class="dashboards" aria-label="Dashboards">
      <DashboardBar shelf={shelf} isEdited={isEdited} onEdit={setEdited} />
      {dashboard.widgets.length === 0 && (
        <p class="empty">
          Nothing is pinned here yet. Choose a topic under Topics, and pin one of its numbers or its payload.
        </p>
      )}
      <Grid client={client} dashboard={dashboard} isEdited={isEdited} onChange={change} />
    </section>
  );
}

interface GridProps {
  client: Client;
  dashboard: Dashboard;
  isEdited: boolean;
  onChange(dashboard: Dashboard): void;
}

function Grid({ client, dashboard, isEdited, onChange }: GridProps) {
  const dragged = useRef<number>(undefined);
  const { widgets } = dashboard;
  const put = (changed: readonly Widget[]) => onChange({ ...dashboard, widgets: changed });
  const move = (from: number, to: number) => onChange(withMoved(dashboard, from, to));
  return (
    <ol class="widgets">
      {widgets.map((widget, index) => (
        <WidgetCard
          key={`${widget.topic}\n${widget.path}`}
          client={client}
          widget={widget}
          isEdited={isEdited}
          isFirst={index === 0}
          isLast={index === widgets.length - 1}
          onChange={(changed) => put(widgets.with(index, changed))}
          onRemove={() => put(widgets.toSpliced(index, 1))}
          onMove={(by) => move(index, index + by)}
          onDrag={() => {
            dragged.current = index;
          }}
          onDrop={() => {
            if (dragged.current !== undefined) move(dragged.current, index);
            dragged.current = undefined;
          }}
        />
      ))}
    </ol>
  );
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
