// The page: its parts, and what they share.

import type { Client } from "murre";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Admin } from "../model/admin.js";
import { type Widget, withWidget } from "../model/dashboard.js";
import { Stats } from "../model/stats.js";
import { Watch } from "../model/watch.js";
import { Clients } from "./clients.js";
import { Dashboards, takeSharedDashboard } from "./dashboards.js";
import { Detail } from "./detail.js";
import { Header } from "./header.js";
import { useAddress } from "./hooks.js";
import { goTo } from "./link.js";
import { Notices } from "./notices.js";
import { Overview } from "./overview.js";
import { Publish } from "./publish.js";
import { Readings } from "./readings.js";
import { Toolbar } from "./toolbar.js";
import { TryIt } from "./try_it.js";
import { useShelf } from "./use_shelf.js";

/** All of it, over one client. */
export function App({ client }: { client: Client }) {
  const [view] = useAddress("view", "topics");
  const admin = useMemo(() => new Admin(), []);
  const stats = useMemo(() => new Stats(), []);
  const shelf = useShelf(takeSharedDashboard);
  return (
    <>
      <a class="skip" href="#readings">
        Skip to the readings
      </a>
      <Header client={client} view={view} onView={(name) => goTo({ view: name === "topics" ? undefined : name })} />
      <main id={view === "topics" || view === "clients" ? undefined : "readings"} tabIndex={-1}>
        <Notices client={client} />
        {view === "dashboards" && <Dashboards client={client} shelf={shelf} />}
        {view === "try" && <TryIt />}
        {view === "overview" && <Overview client={client} admin={admin} stats={stats} />}
        {view === "clients" && <Clients client={client} admin={admin} />}
        {view === "topics" && (
          <TopicsView
            client={client}
            admin={admin}
            onPin={(widget) => shelf.change(withWidget(shelf.dashboard, widget))}
          />
        )}
      </main>
    </>
  );
}

/** The list of topics with what belongs to it. */
function TopicsView({ client, admin, onPin }: { client: Client; admin: Admin; onPin(widget: Widget): void }) {
  const [filter, setFilter] = useAddress("filter", "#");
  const [selected, setSelected] = useAddress("topic", "");
  const [search, setSearch] = useState("");
  const [isPaused, setPaused] = useState(false);
  const [publishTo, setPublishTo] = useState<string>();
  const watch = useMemo(() => new Watch(client, filter), [client, filter]);
  useEffect(() => () => watch.close(), [watch]);
  return (
    <>
      <Toolbar
        watch={watch}
        onFilter={setFilter}
        search={search}
        onSearch={setSearch}
        isPaused={isPaused}
        onPause={() => setPaused(!isPaused)}
        onPublish={() => setPublishTo(selected)}
      />
      {publishTo !== undefined && <Publish client={client} topic={publishTo} onClose={() => setPublishTo(undefined)} />}
      <div class={selected ? "panes with-detail" : "panes"}>
        <Readings watch={watch} search={search} isPaused={isPaused} selected={selected} onSelect={setSelected} />
        {selected && (
          <Detail
            key={selected}
            client={client}
            admin={admin}
            name={selected}
            isPaused={isPaused}
            onClose={() => setSelected("")}
            onPublish={() => setPublishTo(selected)}
            onPin={onPin}
          />
        )}
      </div>
    </>
  );
}
