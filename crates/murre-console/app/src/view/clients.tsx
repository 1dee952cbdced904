// Who is connected, slow ones first, a page at a time; one of them in full beside it.

import type { Client } from "murre";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Admin, CLIENTS_PER_PAGE, type ClientInfo, type ClientPage } from "../model/admin.js";
import { ClientRates, protocolName, type Rates } from "../model/clients.js";
import { formatBytes, formatCount, formatDuration, formatPerSecond, formatShare } from "../model/units.js";
import { ClientDetails } from "./client.js";
import { SearchField } from "./fields.js";
import { useAddress } from "./hooks.js";
import { ClientLink, goTo } from "./link.js";
import { Refused } from "./refused.js";
import { usePoll } from "./use_poll.js";

/** Milliseconds without a key before a search is asked for. */
const TYPING_MS = 250;

/** See the top of the file. */
export function Clients({ client, admin }: { client: Client; admin: Admin }) {
  const [selected, setSelected] = useAddress("client", "");
  const [search, setSearch] = useState("");
  const [said, setSaid] = useState("");
  const pages = usePages(useSettled(search.trim()));
  const rates = useMemo(() => new ClientRates(), []);
  const list = useRef<HTMLDivElement>(null);
  const ask = useCallback(
    async (signal: AbortSignal) => {
      const page = await admin.clients(pages.search, pages.after, signal);
      rates.take(page.clients, performance.now());
      return page;
    },
    [admin, rates, pages.search, pages.after],
  );
  const { answer, problem, again } = usePoll(client, ask);
  useEffect(() => {
    if (selected) setSaid("");
  }, [selected]);
  const leave = () => {
    setSelected("");
    list.current?.focus();
  };
  const retry = () => {
    admin.again();
    again();
  };
  if (problem && !answer) return <Refused problem={problem} onAgain={retry} />;
  return (
    <section class="clients" aria-label="Clients">
      <div class="toolbar">
        <SearchField
          id="client-search"
          placeholder="part of a client id or an address"
          value={search}
          onSearch={setSearch}
        />
        <output class="quiet">{said || (problem && `Not up to date: ${problem.message}`)}</output>
        <Pager pages={pages} page={answer} />
      </div>
      <div class={selected ? "panes with-detail" : "panes"}>
        <div id="readings" ref={list} class="readings client-list" tabIndex={-1}>
          <Table page={answer} rates={rates} self={client.clientId} selected={selected} />
        </div>
        {selected && (
          <ClientDetails
            key={selected}
            client={client}
            admin={admin}
            id={selected}
            onClose={leave}
            onDisconnected={() => {
              setSaid(`${selected} was disconnected.`);
              leave();
              again();
            }}
          />
        )}
      </div>
    </section>
  );
}

/** A text when it has stood still for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** Where the list is: the broker only knows the way on, so that the way back is remembered here. */
interface Pages {
  search: string;
  /** Where this page begins; empty: at the first client. */
  after: string;
  /** From 0. */
  number: number;
  next(after: string): void;
  previous(): void;
}

function usePages(search: string): Pages {
  const [{ of, trail }, set] = useState<{ of: string; trail: readonly string[] }>({ of: search, trail: [] });
  const current = of === search ? trail : [];
  return {
    search,
    after: current.at(-1) ?? "",
    number: current.length,
    next: (after) => set({ of: search, trail: [...current, after] }),
    previous: () => set({ of: search, trail: current.slice(0, -1) }),
  };
}

function Pager({ pages, page }: { pages: Pages; page: ClientPage | undefined }) {
  if (!page) return null;
  const { total, clients, next } = page;
  const first = pages.number * CLIENTS_PER_PAGE;
  const range = clients.length === total ? "" : `${formatCount(first + 1)}–${formatCount(first + clients.length)} of `;
  return (
    <nav class="pager" aria-label="Pages of clients">
      <p id="client-count">
        {clients.length > 0 && range}
        {formatCount(total)} {pages.search ? "found" : "connected"}
      </p>
      {(pages.number > 0 || next) && (
        <>
          <button type="button" disabled={pages.number === 0} onClick={pages.previous}>
            Previous
          </button>
          <button type="button" disabled={!next} onClick={() => next && pages.next(next)}>
            Next
          </button>
        </>
      )}
    </nav>
  );
}

interface TableProps {
  page: ClientPage | undefined;
  rates: ClientRates;
  /** The id of this page. */
  self: string | undefined;
  selected: string;
}

function Table({ page, rates, self, selected }: TableProps) {
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">Client</th>
            <th scope="col" class="wide">
              Protocol
            </th>
            <th scope="col" class="wide number">
              Uptime
            </th>
            <th scope="col" class="number">
              In
            </th>
            <th scope="col" class="number">
              Out
            </th>
            <th scope="col" class="number">
              Outbox
            </th>
            <th scope="col" class="number wide">
              Dropped
            </th>
            <th scope="col" class="wide number">
              Subscriptions
            </th>
          </tr>
        </thead>
        <tbody>
          {page?.clients.map((each) => (
            <ClientRow
              key={each.client_id}
              client={each}
              rates={rates.of(each.client_id)}
              isSelf={each.client_id === self}
              isSelected={each.client_id === selected}
            />
          ))}
        </tbody>
      </table>
      {page?.clients.length === 0 && <p class="empty">No client matches the search.</p>}
      {!page && <p class="empty">Waiting for the broker…</p>}
    </>
  );
}

interface RowProps {
  client: ClientInfo;
  rates: Rates;
  isSelf: boolean;
  isSelected: boolean;
}

function ClientRow({ client, rates, isSelf, isSelected }: RowProps) {
  const { client_id: id, address, connected, outbox, dropped, conflated, subscriptions, slow } = client;
  return (
    <tr data-client={id} data-slow={slow} aria-current={isSelected} onClick={() => goTo({ client: id })}>
      <th scope="row">
        <span class="who">
          <ClientLink id={id} />
          {slow && <span class="mark slow">slow</span>}
          {isSelf && <span class="mark">this page</span>}
        </span>
        <span class="quiet">{address}</span>
      </th>
      <td class="wide">{protocolName(client)}</td>
      <td class="wide number">{formatDuration(Date.now() - connected)}</td>
      <td class="number">{formatPerSecond(rates.received)}</td>
      <td class="number">{formatPerSecond(rates.delivered)}</td>
      <td class="number">
        <Outbox {...outbox} />
      </td>
      <td class="wide number" title={`${formatCount(dropped)} dropped, ${formatCount(conflated)} conflated`}>
        {formatCount(dropped + conflated)}
      </td>
      <td class="wide number">{formatCount(subscriptions)}</td>
    </tr>
  );
}

/** How full an outbox is: its bytes, and a bar. */
function Outbox({ bytes, bytes_max }: ClientInfo["outbox"]) {
  const share = bytes_max > 0 ? bytes / bytes_max : 0;
  return (
    <span class="outbox" title={`${formatBytes(bytes)} of ${formatBytes(bytes_max)}`}>
      {bytes > 0 ? formatBytes(bytes) : "empty"}
      <meter min={0} max={1} high={0.5} value={share} aria-label={`Outbox ${formatShare(share)} full`} />
    </span>
  );
}
