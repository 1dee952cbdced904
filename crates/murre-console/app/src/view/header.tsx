// The top of the page: whose it is, and whether the broker is there.

import type { Client, ClientState } from "murre";
import favicon from "../../../page/favicon.svg";
import { useConnection } from "./hooks.js";

const VIEWS = [
  ["topics", "Topics"],
  ["dashboards", "Dashboards"],
  ["overview", "Overview"],
  ["clients", "Clients"],
  ["try", "Try it"],
] as const;

/** The name, the broker's program, the state of the connection. */
export function Header({ client, view, onView }: { client: Client; view: string; onView(view: string): void }) {
  const state = useConnection(client);
  return (
    <header>
      <img src={favicon} width={32} height={32} alt="" />
      <h1>Murre</h1>
      <nav aria-label="Views">
        {VIEWS.map(([name, title]) => (
          <button
            key={name}
            type="button"
            aria-current={view === name ? "page" : undefined}
            onClick={() => onView(name)}
          >
            {title}
          </button>
        ))}
      </nav>
      <p class="quiet server">{state.name === "connected" ? state.server : ""}</p>
      <p class="connection" data-state={state.name} role="status">
        <span class="lamp" aria-hidden="true" />
        <span>{described(state)}</span>
        {state.name === "closed" && (
          <button type="button" onClick={() => location.reload()}>
            Connect again
          </button>
        )}
      </p>
    </header>
  );
}

function described(state: ClientState): string {
  switch (state.name) {
    case "connected":
      return "Live";
    case "connecting":
      return state.attempt > 1 ? "Reconnecting…" : "Connecting…";
    case "waiting":
      return state.reason ? `Reconnecting… (${state.reason})` : "Reconnecting…";
    case "closing":
      return "Closing…";
    case "closed":
      return `Ended: ${state.reason}`;
  }
}
