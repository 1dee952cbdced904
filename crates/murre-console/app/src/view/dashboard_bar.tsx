// Which dashboard is shown; its name; sharing it, and taking one in.

import { useState } from "preact/hooks";
import { type Dashboard, NAME_MAX, parseDashboard, toAddress } from "../model/dashboard.js";
import { download } from "./download.js";
import type { Shelf } from "./use_shelf.js";

interface Props {
  shelf: Shelf;
  isEdited: boolean;
  onEdit(isEdited: boolean): void;
}

/** See the top of the file. */
export function DashboardBar({ shelf, isEdited, onEdit }: Props) {
  const { all, at, dashboard } = shelf;
  const [said, setSaid] = useState("");
  return (
    <div class="bar">
      <select
        class="title"
        aria-label="Dashboard"
        value={String(at)}
        onChange={(event) => shelf.choose(Number(event.currentTarget.value))}
      >
        {all.map(({ name }, index) => (
          <option key={`${index} ${name}`} value={String(index)}>
            {name || "Unnamed"}
          </option>
        ))}
      </select>
      <output>{said}</output>
      <div class="actions">
        <button type="button" onClick={() => void share(dashboard).then(setSaid)}>
          Share
        </button>
        <button type="button" aria-pressed={isEdited} onClick={() => onEdit(!isEdited)}>
          Edit
        </button>
      </div>
      {isEdited && <Changes shelf={shelf} onSay={setSaid} />}
    </div>
  );
}

/** What concerns a dashboard as a whole. */
function Changes({ shelf, onSay }: { shelf: Shelf; onSay(said: string): void }) {
  const { all, dashboard, change } = shelf;
  const take = async (file: File | undefined) => {
    try {
      if (file) shelf.add(parseDashboard(await file.text()));
      onSay("");
    } catch (problem) {
      onSay(`${file?.name} is no dashboard: ${(problem as Error).message}`);
    }
  };
  return (
    <div class="changes">
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
      <button
        type="button"
        onClick={() => download(dashboard.name, "json", "application/json", JSON.stringify(dashboard, null, 2))}
      >
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
      <button type="button" class="danger" onClick={shelf.remove}>
        Delete
      </button>
    </div>
  );
}

/** Puts the dashboard's address where it can be taken from; says where that is. */
async function share(dashboard: Dashboard): Promise<string> {
  const address = new URL(location.pathname, location.origin);
  address.searchParams.set("view", "dashboards");
  address.hash = toAddress(dashboard);
  try {
    await navigator.clipboard.writeText(address.href);
    return "Its address is in the clipboard.";
  } catch {
    history.replaceState(null, "", address);
    return "Its address is the page's address now.";
  }
}
