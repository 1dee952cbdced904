// One client in full: what it is, how it does, what it is subscribed to, and the way to end its connection.

import type { Client } from "murre";
import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Admin, AdminError, type ClientDetail, type FilterInfo } from "../model/admin.js";
import { ClientLines, protocolName } from "../model/clients.js";
import { formatBytes, formatCount, formatDuration, formatPerSecond } from "../model/units.js";
import { Disconnect } from "./disconnect.js";
import { Link } from "./link.js";
import { Particulars } from "./particulars.js";
import { Trend, UNITS, type Unit } from "./trend.js";
import { usePoll } from "./use_poll.js";

/** Seconds that the plots show. */
const SPAN_S = 600;

interface Props {
  client: Client;
  admin: Admin;
  id: string;
  onClose(): void;
  onDisconnected(): void;
}

/** See the top of the file. */
export function ClientDetails({ client, admin, id, onClose, onDisconnected }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => heading.current?.focus(), []);
  const [isAsking, setAsking] = useState(false);
  const lines = useMemo(() => new ClientLines(), []);
  const ask = useCallback(
    async (signal: AbortSignal) => {
      const detail = await admin.client(id, signal);
      lines.take(detail, Date.now());
      return detail;
    },
    [admin, id, lines],
  );
  const { answer, problem, again } = usePoll(client, ask);
  const isGone = problem instanceof AdminError && problem.isGone;
  return (
    <section
      class="detail"
      aria-labelledby="detail-client"
      onKeyDown={(event) => {
        if (event.key === "Escape" && !isAsking) onClose();
      }}
    >
      <div class="detail-head">
        <h2 id="detail-client" ref={heading} tabIndex={-1}>
          {id}
        </h2>
        {answer && !isGone && (
          <button type="button" class="danger" onClick={() => setAsking(true)}>
            Disconnect…
          </button>
        )}
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
      {isGone && (
        <p class="empty">
          It isn't connected.{" "}
          <button type="button" onClick={again}>
            Look again
          </button>
        </p>
      )}
      {problem && !isGone && <p class="problem">{problem.message}</p>}
      {answer && <Figures detail={answer} lines={lines} />}
      {answer && <Filters detail={answer} />}
      {isAsking && (
        <Disconnect
          id={id}
          isSelf={id === client.clientId}
          isStream={answer?.protocol === "events"}
          disconnect={(reason) => admin.disconnect(id, reason)}
          onDone={onDisconnected}
          onCancel={() => setAsking(false)}
        />
      )}
    </section>
  );
}

function Figures({ detail, lines }: { detail: ClientDetail; lines: ClientLines }) {
  const { received, delivered, outbox } = detail;
  const facts: [name: string, value: string][] = [
    ["Address", detail.address ?? "in the broker's program"],
    ["Protocol", protocolName(detail)],
    [
      "Connected",
      `${formatDuration(Date.now() - detail.connected)}, since ${new Date(detail.connected).toLocaleString()}`,
    ],
    ["Keep-alive", detail.keep_alive > 0 ? `${detail.keep_alive} s` : "none"],
    ["Session", detail.durable ? "kept while it is away" : "ends with the connection"],
    ["Received from it", `${formatCount(received.messages)} messages, ${formatBytes(received.bytes)}`],
    ["Delivered to it", `${formatCount(delivered.messages)} messages, ${formatBytes(delivered.bytes)}`],
    ["Left out for it", `${formatCount(detail.dropped)} dropped, ${formatCount(detail.conflated)} conflated`],
  ];
  return (
    <>
      {detail.slow && (
        <p class="warning">
          It is slow: it takes less than is meant for it, so that its outbox fills and messages may be left out.
        </p>
      )}
      <div class="trends">
        <Line
          title="In"
          value={formatPerSecond(lines.received.at(-1) ?? null)}
          values={lines.received}
          lines={lines}
          unit={UNITS.rate}
        />
        <Line
          title="Out"
          value={formatPerSecond(lines.delivered.at(-1) ?? null)}
          values={lines.delivered}
          lines={lines}
          unit={UNITS.rate}
        />
        <Line
          title="Outbox"
          value={`${formatBytes(outbox.bytes)} of ${formatBytes(outbox.bytes_max)}`}
          values={lines.outbox}
          lines={lines}
          unit={UNITS.bytes}
        />
      </div>
      <dl class="facts columns">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

interface LineProps {
  title: string;
  value: string;
  values: readonly (number | null)[];
  lines: ClientLines;
  unit: Unit;
}

function Line({ title, value, values, lines, unit }: LineProps) {
  return (
    <figure>
      <figcaption>
        <span>{title}</span>
        <strong>{value}</strong>
      </figcaption>
      <Trend
        title={title}
        times={lines.times}
        values={values}
        version={lines.version}
        span={SPAN_S}
        unit={unit}
        group="client"
      />
    </figure>
  );
}

function Filters({ detail: { filters, truncated, subscriptions } }: { detail: ClientDetail }) {
  return (
    <>
      <h3 id="client-filters">Subscriptions</h3>
      {filters.length === 0 && <p class="quiet">It is subscribed to nothing.</p>}
      <ul class="filters" aria-labelledby="client-filters">
        {filters.map((each) => (
          <li key={each.sub}>
            <Filter {...each} />
          </li>
        ))}
      </ul>
      {truncated && (
        <p class="quiet">
          The first {formatCount(filters.length)} of {formatCount(subscriptions)}.
        </p>
      )}
    </>
  );
}

/** A filter, with what is particular to its subscription. */
function Filter({ filter, group, ack, view, dropped }: FilterInfo) {
  return (
    <>
      <Link to={{ view: undefined, filter, topic: undefined }}>{filter}</Link>
      <Particulars group={group} ack={ack} view={view} dropped={dropped} />
    </>
  );
}
