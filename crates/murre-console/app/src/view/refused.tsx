// Why the admin API isn't answered, and what to do.

import { AdminError } from "../model/admin.js";

const LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/** In place of what can't be shown. */
export function Refused({ problem, onAgain }: { problem: Error; onAgain(): void }) {
  const isRefused = problem instanceof AdminError && problem.isRefused;
  return (
    <section class="refused" aria-label="Not shown" role="status">
      <h2>{isRefused ? "Shown on the broker's own machine only" : "The broker didn't answer"}</h2>
      {isRefused ? <HowTo /> : null}
      <p class="quiet">The broker says: {problem.message}</p>
      <button type="button" onClick={onAgain}>
        Try again
      </button>
    </section>
  );
}

function HowTo() {
  const port = location.port || (location.protocol === "https:" ? "443" : "80");
  const isLocal = LOCAL_HOSTS.includes(location.hostname);
  return (
    <>
      <p>
        As long as the broker has no authentication, it tells who is connected only to pages that are opened on the
        machine it runs on.{" "}
        {isLocal ? "This page's requests came by way of a proxy." : `This page came from ${location.host}.`}
      </p>
      <p>
        Open it there without a proxy, or bring the broker's port to this machine. Put in the name of the broker's
        machine, let this run, and open <code>http://127.0.0.1:{port}/?view=clients</code>:
      </p>
      <pre tabIndex={0}>
        ssh -N -L {port}:127.0.0.1:{port} {isLocal ? "HOST" : location.hostname}
      </pre>
    </>
  );
}
