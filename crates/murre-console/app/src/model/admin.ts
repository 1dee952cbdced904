// The broker's admin API: how it was, who is connected, who publishes on a topic and who is subscribed to it. docs/admin.md has it.

/** Clients of one answer. */
export const CLIENTS_PER_PAGE = 100;
/** Publishers that are told of one topic, and subscribers. */
export const TOLD_MAX = 200;
/** Bytes of UTF-8 that the reason of a disconnect may have. */
export const REASON_BYTES_MAX = 200;

interface Traffic {
  messages: number;
  bytes: number;
}

/** A connected client. Counters are totals since it connected. */
export interface ClientInfo {
  client_id: string;
  /** With its port; null where the client is part of the broker's own program. */
  address: string | null;
  protocol: "websocket" | "events";
  encoding: "msgpack" | "json";
  /** Milliseconds since 1970. */
  connected: number;
  /** Seconds; 0: no supervision. */
  keep_alive: number;
  /** The broker keeps its session while it is away. */
  durable: boolean;
  slow: boolean;
  received: Traffic;
  delivered: Traffic;
  outbox: { bytes: number; bytes_max: number };
  dropped: number;
  conflated: number;
  subscriptions: number;
}

/** The options of a view that are in force, as SUBSCRIBE has them. Others may come. */
export interface ViewOptions {
  where?: string;
  select?: string[];
  deadband?: Deadband;
  window?: ViewWindow;
  max_rate?: number;
  patch?: boolean;
  expect?: number;
  on_error?: "skip" | "pass";
  [more: string]: unknown;
}

/** By how much a value has to move to be sent. */
export interface Deadband {
  path?: string;
  abs?: number;
  percent?: number;
  silence_max?: number;
}

/** Which figures are sent, over which time. */
export interface ViewWindow {
  seconds: number;
  step?: number;
  of: string[];
  give: string[];
}

/** What a client is subscribed to. */
export interface FilterInfo {
  sub: number;
  filter: string;
  group?: string;
  ack: boolean;
  view?: ViewOptions;
  dropped: number;
}

/** A client with its filters, of which there may be more than are told (`truncated`). */
export interface ClientDetail extends ClientInfo {
  filters: FilterInfo[];
  truncated?: boolean;
}

/** Some of the connected clients, slow ones first. */
export interface ClientPage {
  /** Of all that match the search. */
  total: number;
  clients: ClientInfo[];
  /** Where the next page begins; absent on the last one. */
  next?: string;
}

/** What holds a topic's messages, and for how long; `age_ms` in milliseconds. */
export interface KeepRule {
  filter: string;
  last?: number;
  age_ms?: number;
  bytes?: number;
  durable: boolean;
}

/** A client that has published on a topic; `last`: when, in milliseconds since 1970. */
export interface PublisherInfo {
  client_id: string;
  address: string | null;
  last?: number;
}

/** A subscription that matches a topic. */
export interface SubscriberInfo extends FilterInfo {
  client_id: string;
  address: string | null;
}

/** Who has to do with a topic; some of them where they are many (`truncated`). */
export interface TopicInfo {
  topic: string;
  rule: KeepRule | null;
  publishers: PublisherInfo[];
  subscribers: SubscriberInfo[];
  truncated: boolean;
}

/** Why an answer isn't there. */
export class AdminError extends Error {
  /** The status of HTTP. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "AdminError";
    this.status = status;
  }

  /** The page isn't on the broker's own machine. */
  get isRefused(): boolean {
    return this.status === 403;
  }

  /** There is no such client. */
  get isGone(): boolean {
    return this.status === 404;
  }
}

/** Asks the broker. Once it has refused, as it does to pages from elsewhere, nothing more is asked until `again`. */
export class Admin {
  #refusal: AdminError | undefined;

  /** What the broker said of itself in the last minutes, the oldest first; times in milliseconds since 1970. */
  stats(): Promise<{ time: number; stats: unknown }[]> {
    return this.#get("/admin/stats");
  }

  /** Connected clients from `after` on (a page's `next`), whose id or address has `search` in it. */
  clients(search: string, after: string, signal: AbortSignal): Promise<ClientPage> {
    const query = new URLSearchParams({ limit: String(CLIENTS_PER_PAGE) });
    if (search) query.set("search", search);
    if (after) query.set("after", after);
    return this.#get(`/admin/clients?${query}`, signal);
  }

  /** One client with its filters; an AdminError that `isGone` where it isn't connected. */
  client(id: string, signal: AbortSignal): Promise<ClientDetail> {
    return this.#get(`/admin/clients/${encodeURIComponent(id)}`, signal);
  }

  /** Who publishes on a topic, who is subscribed to it, and what keeps it. */
  topic(name: string, signal: AbortSignal): Promise<TopicInfo> {
    return this.#get(`/admin/topics/${name.split("/").map(encodeURIComponent).join("/")}`, signal);
  }

  /** Ends a client's connection; the client is told the reason. */
  async disconnect(id: string, reason: string): Promise<void> {
    await this.#ask(`/admin/clients/${encodeURIComponent(id)}/disconnect`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(reason ? { reason } : {}),
    });
  }

  /** After a refusal the broker is asked again. */
  again(): void {
    this.#refusal = undefined;
  }

  async #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await this.#ask(path, { signal: signal ?? null, headers: { Accept: "application/json" } });
    return (await response.json()) as T;
  }

  async #ask(path: string, options: RequestInit): Promise<Response> {
    if (this.#refusal) throw this.#refusal;
    const response = await fetch(path, { cache: "no-store", ...options });
    if (response.ok) return response;
    const problem = new AdminError(response.status, problemIn(await response.text(), response.statusText));
    if (problem.isRefused) this.#refusal = problem;
    throw problem;
  }
}

/** What the broker says of a problem: the detail of problem JSON. */
function problemIn(body: string, otherwise: string): string {
  try {
    const { detail, title } = JSON.parse(body) as { detail?: string; title?: string };
    return detail ?? title ?? otherwise;
  } catch {
    return otherwise;
  }
}
