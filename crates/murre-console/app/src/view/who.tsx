// Who has to do with a topic: who publishes there, who is subscribed by which filter and view, and what keeps it.

import type { Client } from "murre";
import { useCallback } from "preact/hooks";
import { formatAge } from "../../../page/figures.js";
import {
  type Admin,
  AdminError,
  type PublisherInfo,
  type SubscriberInfo,
  TOLD_MAX,
  type TopicInfo,
} from "../model/admin.js";
import { ruleInWords } from "../model/clients.js";
import type { Polled } from "../model/poll.js";
import { formatCount } from "../model/units.js";
import { ClientLink, Link } from "./link.js";
import { Particulars } from "./particulars.js";
import { usePoll } from "./use_poll.js";

/** What the broker knows of a topic, asked again and again. */
export function useWho(client: Client, admin: Admin, topic: string): Polled<TopicInfo> {
  const ask = useCallback((signal: AbortSignal) => admin.topic(topic, signal), [admin, topic]);
  return usePoll(client, ask);
}

/** From whom, to how many: on one line, with the way to the rest. */
export function WhoLine({ answer }: Polled<TopicInfo>) {
  if (!answer) return null;
  const { publishers, subscribers, truncated } = answer;
  const [first, ...more] = publishers;
  return (
    <p class="quiet who-line">
      From {first ? <ClientLink id={first.client_id} /> : "nobody who is connected"}
      {more.length > 0 && ` and ${formatCount(more.length)} more`} to{" "}
      <button type="button" onClick={() => document.getElementById("who-is")?.scrollIntoView()}>
        {counted(subscribers.length, "subscriber", truncated)}
      </button>
    </p>
  );
}

/** See the top of the file. `self`: the id of this page. */
export function Who({ answer, problem, self }: Polled<TopicInfo> & { self: string | undefined }) {
  if (!answer && !problem) return null;
  return (
    <section id="who-is" class="who-is" aria-label="Who publishes and who is subscribed">
      {answer ? <Answer info={answer} self={self} /> : problem && <Unanswered problem={problem} />}
    </section>
  );
}

function Unanswered({ problem }: { problem: Error }) {
  const isRefused = problem instanceof AdminError && problem.isRefused;
  if (!isRefused) return <p class="quiet">Who publishes here isn't known: {problem.message}</p>;
  return (
    <p class="quiet">
      Who publishes here and who is subscribed is shown on the broker's own machine only.{" "}
      <Link to={{ view: "clients" }}>How to see it</Link>
    </p>
  );
}

function Answer({ info, self }: { info: TopicInfo; self: string | undefined }) {
  const { rule, publishers, subscribers, truncated } = info;
  return (
    <>
      <h3>Kept</h3>
      {rule ? (
        <p class="rule">
          {ruleInWords(rule)}, by the rule for <code>{rule.filter}</code>
        </p>
      ) : (
        <p class="rule">Only the last message: no rule keeps more of it.</p>
      )}
      <h3 id="who-publishes">{counted(publishers.length, "publisher", truncated)}</h3>
      {publishers.length === 0 && <p class="quiet">No client that is connected now has published here.</p>}
      <ul class="filters" aria-labelledby="who-publishes">
        {publishers.map((each) => (
          <Publisher key={each.client_id} publisher={each} self={self} />
        ))}
      </ul>
      <h3 id="who-subscribes">{counted(subscribers.length, "subscriber", truncated)}</h3>
      <ul class="filters" aria-labelledby="who-subscribes">
        {subscribers.map((each) => (
          <Subscriber key={`${each.client_id}\n${each.sub}`} subscriber={each} self={self} />
        ))}
      </ul>
    </>
  );
}

function counted(count: number, what: string, isTruncated: boolean): string {
  const more = isTruncated && count >= TOLD_MAX ? " and more" : "";
  return `${formatCount(count)} ${what}${count === 1 ? "" : "s"}${more}`;
}

function Publisher({ publisher, self }: { publisher: PublisherInfo; self: string | undefined }) {
  const { client_id: id, address, last } = publisher;
  return (
    <li data-client={id}>
      <ClientLink id={id} />
      {id === self && <span class="mark">this page</span>}
      <span class="quiet">{address}</span>
      {last !== undefined && <span class="quiet">{formatAge(Date.now() - last)}</span>}
    </li>
  );
}

function Subscriber({ subscriber, self }: { subscriber: SubscriberInfo; self: string | undefined }) {
  const { client_id: id, filter, group, ack, view, dropped } = subscriber;
  return (
    <li data-client={id}>
      <ClientLink id={id} />
      {id === self && <span class="mark">this page</span>}
      <code>{filter}</code>
      <Particulars group={group} ack={ack} view={view} dropped={dropped} />
    </li>
  );
}
