// The page: its parts, and what they share.

import type { Client } from "murre";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Watch } from "../model/watch.js";
import { Detail } from "./detail.js";
import { Header } from "./header.js";
import { useAddress } from "./hooks.js";
import { Notices } from "./notices.js";
import { Publish } from "./publish.js";
import { Readings } from "./readings.js";
import { Toolbar } from "./toolbar.js";

/** All of it, over one client. */
export function App({ client }: { client: Client }) {
  const [filter, setFilter] = useAddress("filter", "#");
  const [selected, setSelected] = useAddress("topic", "");
  const [search, setSearch] = useState("");
  const [isPaused, setPaused] = useState(false);
  const [publishTo, setPublishTo] = useState<string>();
  const watch = useMemo(() => new Watch(client, filter), [client, filter]);
  useEffect(() => () => watch.close(), [watch]);

  return (
    <>
      <a class="skip" href="#readings">
        Skip to the readings
      </a>
      <Header client={client} />
      <main>
        <Toolbar
          watch={watch}
          onFilter={setFilter}
          search={search}
          onSearch={setSearch}
          isPaused={isPaused}
          onPause={() => setPaused(!isPaused)}
          onPublish={() => setPublishTo(selected)}
        />
        <Notices client={client} />
        {publishTo !== undefined && (
          <Publish client={client} topic={publishTo} onClose={() => setPublishTo(undefined)} />
        )}
        <div class={selected ? "panes with-detail" : "panes"}>
          <Readings watch={watch} search={search} isPaused={isPaused} selected={selected} onSelect={setSelected} />
          {selected && (
            <Detail
              key={selected}
              client={client}
              watch={watch}
              name={selected}
              isPaused={isPaused}
              onClose={() => setSelected("")}
              onPublish={() => setPublishTo(selected)}
            />
          )}
        </div>
      </main>
    </>
  );
}
