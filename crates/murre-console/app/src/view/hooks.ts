// What components share: the tick of the page, the state of the connection, values that stand in the address.

import type { Client, ClientState } from "murre";
import { useEffect, useState } from "preact/hooks";

/** Between two drawings of what is live. */
const DRAW_MS = 250;

/** Draws the component anew a few times a second while the page is seen; gives the page's own clock. */
export function useTick(isPaused = false): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    if (isPaused) return undefined;
    let drawnAt = performance.now();
    let frame = requestAnimationFrame(function draw(time) {
      frame = requestAnimationFrame(draw);
      if (time - drawnAt < DRAW_MS) return;
      drawnAt = time;
      setNow(performance.now());
    });
    return () => cancelAnimationFrame(frame);
  }, [isPaused]);
  return now;
}

/** The state of the connection as it changes. */
export function useConnection(client: Client): ClientState {
  const [state, setState] = useState(client.state);
  useEffect(() => {
    setState(client.state);
    return client.on("state", setState);
  }, [client]);
  return state;
}

/** A value that stands in the page's address, so that the address can be kept and given on. */
export function useAddress(name: string, initial: string): [string, (value: string) => void] {
  const inAddress = () => new URL(location.href).searchParams.get(name) ?? initial;
  const [value, setValue] = useState(inAddress);
  useEffect(() => {
    const moved = () => setValue(inAddress());
    addEventListener("popstate", moved);
    return () => removeEventListener("popstate", moved);
  }, [name, initial]);
  const change = (next: string) => {
    const address = new URL(location.href);
    if (next === initial) address.searchParams.delete(name);
    else address.searchParams.set(name, next);
    history.replaceState(null, "", address);
    setValue(next);
  };
  return [value, change];
}

/** Whether the page is seen: not while another tab or a locked screen is in front of it. */
export function useVisible(): boolean {
  const [isVisible, setVisible] = useState(() => document.visibilityState === "visible");
  useEffect(() => {
    const changed = () => setVisible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  return isVisible;
}

/** Whether the window is as narrow as a phone. */
export function useNarrow(): boolean {
  return useMedia("(max-width: 44rem)");
}

/** Whether the viewer asks for a dark page. */
export function useDark(): boolean {
  return useMedia("(prefers-color-scheme: dark)");
}

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const changed = () => setMatches(media.matches);
    media.addEventListener("change", changed);
    return () => media.removeEventListener("change", changed);
  }, [query]);
  return matches;
}
