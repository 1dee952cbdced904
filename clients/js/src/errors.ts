// What can go wrong, as an application sees it.

import { Code, codeText } from "./protocol/codes.js";

/** Every error that this SDK makes. `code` is the broker's code, where it gave one. */
export class MurreError extends Error {
  override readonly name: string = "MurreError";
  readonly code: number | undefined;

  constructor(message: string, code?: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The client has ended: it was closed, or the broker said that it should not come back. */
export class ClosedError extends MurreError {
  override readonly name = "ClosedError";
  /** Why, for people. */
  readonly reason: string;

  constructor(reason: string, code?: number) {
    super(`the client is closed: ${reason}`, code);
    this.reason = reason;
  }
}

/** A publish was not taken. */
export class PublishError extends MurreError {
  override readonly name = "PublishError";
  readonly topic: string;
  /**
   * "refused": by the broker, with `code`. "dropped": it had to go for newer ones. "full": no room by the buffer's rule.
   * "tooLarge": larger than the broker or the buffer takes. "encode": the value has no form in the format.
   */
  readonly kind: "refused" | "dropped" | "full" | "tooLarge" | "encode";

  constructor(topic: string, kind: PublishError["kind"], what: string, code?: number, options?: ErrorOptions) {
    super(`a publish to ${topic} ${what}`, code, options);
    this.topic = topic;
    this.kind = kind;
  }
}

/** A subscription was refused, or ended by itself. */
export class SubscribeError extends MurreError {
  override readonly name = "SubscribeError";
  readonly filter: string;
  /** The rule or limit that refused, where the broker names it. */
  readonly rule: string | undefined;

  constructor(filter: string, what: string, code?: number, rule?: string) {
    super(`the subscription to ${filter} ${what}`, code);
    this.filter = filter;
    this.rule = rule;
  }

  /** The broker refused it. */
  static refused(filter: string, code: number, reason: string, rule?: string): SubscribeError {
    return new SubscribeError(filter, `was refused with ${describeCode(code, reason)}`, code, rule);
  }

  /** SUBSCRIBE is larger than the broker takes. */
  static tooLarge(filter: string, bytes: number, max: number): SubscribeError {
    return SubscribeError.refused(filter, Code.tooLarge, `SUBSCRIBE has ${bytes} bytes, the broker takes ${max}`);
  }
}

/** A request got no answer. */
export class RequestError extends MurreError {
  override readonly name = "RequestError";
  readonly topic: string;
  /** "timeout": no answer in time. "failed": the responder's handler threw. "tooMany": too many requests wait. */
  readonly kind: "timeout" | "failed" | "tooMany";

  constructor(topic: string, kind: RequestError["kind"], what: string) {
    super(`a request to ${topic} ${what}`);
    this.topic = topic;
    this.kind = kind;
  }
}

/** A payload can't be read as its format says. */
export class DecodeError extends MurreError {
  override readonly name = "DecodeError";
  readonly topic: string;

  constructor(topic: string, format: string, cause: unknown) {
    super(`a message on ${topic} is no valid ${format}: ${messageOf(cause)}`, undefined, { cause });
    this.topic = topic;
  }
}

/** A code with its text, and what the broker said with it, for people. */
export function describeCode(code: number, reason: string): string {
  return `${code} (${codeText(code)})${reason && `: ${reason}`}`;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
