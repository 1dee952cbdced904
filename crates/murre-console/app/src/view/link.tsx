// Ways from one view to another, as addresses: a link can be opened elsewhere, and the browser's way back works.

import type { ComponentChildren } from "preact";

/** Values of the page's address; undefined leaves one out of it. */
export type Place = Readonly<Record<string, string | undefined>>;

function addressOf(place: Place): string {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(place)) {
    if (value === undefined) address.searchParams.delete(name);
    else address.searchParams.set(name, value);
  }
  return `${address.pathname}${address.search}`;
}

/** Goes to a place; what it doesn't name stays as it is. */
export function goTo(place: Place): void {
  history.pushState(null, "", addressOf(place));
  dispatchEvent(new PopStateEvent("popstate"));
}

/** A link to a place in the page. */
export function Link({ to, children }: { to: Place; children: ComponentChildren }) {
  return (
    <a
      href={addressOf(to)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        event.stopPropagation();
        goTo(to);
      }}
    >
      {children}
    </a>
  );
}

/** A link to a client. */
export function ClientLink({ id }: { id: string }) {
  return <Link to={{ view: "clients", client: id }}>{id}</Link>;
}
