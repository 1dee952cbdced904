// What the broker tells beside messages.

import type { Client, Notice } from "murre";
import { useEffect, useState } from "preact/hooks";

const NOTICES_MAX = 5;

/** The last notices, the newest first, until somebody dismisses them. */
export function Notices({ client }: { client: Client }) {
  const [notices, setNotices] = useState<Notice[]>([]);
  useEffect(
    () => client.on("notice", (notice) => setNotices((before) => [notice, ...before].slice(0, NOTICES_MAX))),
    [client],
  );
  return (
    <ul class="notices" aria-label="Notices of the broker" aria-live="polite">
      {notices.map((notice, index) => (
        <li key={notice}>
          <span>{described(notice)}</span>
          <button
            type="button"
            aria-label="Dismiss the notice"
            onClick={() => setNotices(notices.filter((_, other) => other !== index))}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function described({ kind, reason, count }: Notice): string {
  const title = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
  return `${title}${count ? ` (${count})` : ""}: ${reason}`;
}
