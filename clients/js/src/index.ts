// Murre's SDK for browsers and Node: publish readings, subscribe to them, ask and answer, over one WebSocket connection
// that is made again whenever it breaks.
//
// Layout
//   client, subscription, message, presence, requests, responder   what an application holds
//   options, errors                                                what it can ask for, and what can go wrong
//   feed                                                           between a subscription and its reader
//   protocol/    packets, payloads and codes as bytes
//   core/        the client's state without socket and clock: session, outgoing, subscriptions, resume, acks, …
//   shell/       sockets, timers, events: link (over all connections), connection (one of them), wake, …

export { type Client, type ClientEvents, connect, type Published } from "./client.js";
export type { Backoff } from "./core/backoff.js";
export { mergePatch } from "./core/merge_patch.js";
export type { Buffer } from "./core/outgoing.js";
export type { Recovery, ResumePoint } from "./core/resume.js";
export type { Notice } from "./core/session.js";
export { ClosedError, DecodeError, MurreError, PublishError, RequestError, SubscribeError } from "./errors.js";
export type { FeedEvents as SubscriptionEvents } from "./feed.js";
export type { Message } from "./message.js";
export type {
  ConnectOptions,
  From,
  Moment,
  PublishOptions,
  SubscribeOptions,
  UpdateOptions,
  ViewInForce,
  ViewOptions,
  Will,
} from "./options.js";
export type { Presence, PresenceStream } from "./presence.js";
export { Code, codeText, shouldReconnect } from "./protocol/codes.js";
export type { Format } from "./protocol/payload.js";
export type { RequestOptions } from "./requests.js";
export type { Responder, RespondOptions } from "./responder.js";
export type { ListenOptions, Unlisten } from "./shell/emitter.js";
export type { SocketConstructor, SocketLike } from "./shell/socket.js";
export type { ClientState, ConnectionInfo } from "./shell/state.js";
export type { Subscription } from "./subscription.js";
