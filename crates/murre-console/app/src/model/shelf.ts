// The dashboards that this browser keeps.

import { asDashboard, type Dashboard, EMPTY } from "./dashboard.js";

const KEY = "murre.dashboards";
const DASHBOARDS_MAX = 50;

/** As much of `localStorage` as is used. */
export type Store = Pick<Storage, "getItem" | "setItem">;

/** The dashboards in their order, at least one; those that can't be read are left out. */
export function load(store: Store): Dashboard[] {
  const kept = read(store).slice(0, DASHBOARDS_MAX);
  return kept.length > 0 ? kept : [EMPTY];
}

function read(store: Store): Dashboard[] {
  try {
    const all: unknown = JSON.parse(store.getItem(KEY) ?? "[]");
    if (!Array.isArray(all)) return [];
    return all.flatMap((each) => {
      try {
        return [asDashboard(each)];
      } catch {
        return [];
      }
    });
  } catch {
    return []; // Not JSON, or a browser that keeps nothing.
  }
}

/** Keeps them; false where the browser doesn't. */
export function save(store: Store, dashboards: readonly Dashboard[]): boolean {
  try {
    store.setItem(KEY, JSON.stringify(dashboards.slice(0, DASHBOARDS_MAX)));
    return true;
  } catch {
    return false;
  }
}
