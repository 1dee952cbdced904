// The dashboards of this browser as a component has them.

import { useState } from "preact/hooks";
import { type Dashboard, EMPTY } from "../model/dashboard.js";
import { load, save } from "../model/shelf.js";

/** All dashboards and the one that is shown; every change is kept at once. */
export interface Shelf {
  all: readonly Dashboard[];
  at: number;
  dashboard: Dashboard;
  choose(at: number): void;
  change(dashboard: Dashboard): void;
  add(dashboard: Dashboard): void;
  remove(): void;
}

/** `shared`: a dashboard from elsewhere, which joins the others unless it is among them. */
export function useShelf(shared: () => Dashboard | undefined): Shelf {
  const [{ all, at }, set] = useState(() => begin(shared()));
  const put = (next: readonly Dashboard[], chosen: number) => {
    save(localStorage, next);
    set({ all: next, at: chosen });
  };
  return {
    all,
    at,
    dashboard: all[at] ?? EMPTY,
    choose: (chosen) => set({ all, at: chosen }),
    change: (dashboard) => put(all.with(at, dashboard), at),
    add: (dashboard) => put([...all, dashboard], all.length),
    remove: () => {
      const rest = all.filter((_, index) => index !== at);
      put(rest.length > 0 ? rest : [EMPTY], 0);
    },
  };
}

function begin(shared: Dashboard | undefined): { all: readonly Dashboard[]; at: number } {
  const kept = load(localStorage);
  if (!shared) return { all: kept, at: 0 };
  const text = JSON.stringify(shared);
  const known = kept.findIndex((each) => JSON.stringify(each) === text);
  if (known >= 0) return { all: kept, at: known };
  const [only, more] = kept;
  // Nothing worth keeping beside it: the empty one that everybody begins with.
  const all = !more && only?.widgets.length === 0 ? [shared] : [shared, ...kept];
  save(localStorage, all);
  return { all, at: 0 };
}
