/** Errors of the client: refusals with their problem document, and answers that do not come. */

import { parseJson } from "./json.js";
import { retryAfterMs } from "./retries.js";
import type { Problem } from "./schema.js";

/** A field of the request that is wrong. */
export interface WrongField {
  field: string;
  detail: string;
  /** The values that are allowed, where they are few. */
  allowed?: unknown[];
}

/** Base of all errors of a call. */
export class MarqueeError extends Error {
  // Written out: whoever makes code smaller gives classes other names.
  override readonly name: string = "MarqueeError";
}

/** The connection failed or broke; `cause` says how. Of a write it is not known whether it took effect. */
export class NoAnswer extends MarqueeError {
  override readonly name: string = "NoAnswer";
}

/** No answer in time. */
export class TimedOut extends NoAnswer {
  override readonly name: string = "TimedOut";
}

/** The page's own source of tokens gave none; `cause` says why. */
export class NoToken extends MarqueeError {
  override readonly name: string = "NoToken";
}

/** The answer is not one of this API; mostly the address is that of something else. */
export class UnreadableAnswer extends MarqueeError {
  override readonly name: string = "UnreadableAnswer";
}

/** A list is followed no more: the viewer was erased, the token ended, or a filter has no film left. */
export class FollowingEnded extends MarqueeError {
  override readonly name: string = "FollowingEnded";

  constructor(
    /** `erased`, `unauthorized`, or the code of a problem. */
    readonly code: string,
    /** Why, in the gateway's words. */
    readonly reason: string,
  ) {
    super(`${code}: ${reason}`);
  }
}

/** The gateway refused the call, with a problem document (RFC 9457). */
export class Refused extends MarqueeError {
  override readonly name: string = "Refused";
  /** Stable name of the problem, such as `model_unavailable`; empty where the answer has none, as that of a proxy. */
  readonly code: Problem["code"] | "";
  /** What is wrong, and what helps. */
  readonly detail: string;
  /** Each field that is wrong. */
  readonly fields: readonly WrongField[];

  constructor(
    readonly status: number,
    /** The whole problem document, if there is one. */
    readonly problem: Problem | null,
    /** Milliseconds after which to try again, if the answer says so. */
    readonly retryAfterMs: number | null,
  ) {
    const code = problem?.code ?? "";
    const detail = problem?.detail ?? "an answer without details";
    const fields = (problem?.errors ?? []) as WrongField[];
    super(`${status} ${code}: ${detail}${fields.map((one) => `; ${one.field}: ${one.detail}`).join("")}`);
    this.code = code;
    this.detail = detail;
    this.fields = fields;
  }
}

/** The request has to be mended: 400, 405, 408, 413, 414, 415, 422 and 431. */
export class BadRequest extends Refused {
  override readonly name: string = "BadRequest";
}

/** A value is missing, wrong or unknown (422): see `fields`. */
export class InvalidInput extends BadRequest {
  override readonly name: string = "InvalidInput";
}

/** The key or token is missing or not valid (401). */
export class Unauthorized extends Refused {
  override readonly name: string = "Unauthorized";
}

/** The key or token lacks the scope that the call needs (403). */
export class Forbidden extends Refused {
  override readonly name: string = "Forbidden";
}

/** What the call names does not exist (404). */
export class NotFound extends Refused {
  override readonly name: string = "NotFound";
}

/** The request contradicts the present state (409). */
export class Conflict extends Refused {
  override readonly name: string = "Conflict";
}

/** The caller is above its rate, or a viewer has too many events (429): see `retryAfterMs`. */
export class RateLimited extends Refused {
  override readonly name: string = "RateLimited";
}

/** The gateway or what it needs is away or overloaded (503, 504); later it may answer. */
export class Unavailable extends Refused {
  override readonly name: string = "Unavailable";
}

/** A fault of the server (other 5xx): tell whoever runs it. */
export class ServerFault extends Refused {
  override readonly name: string = "ServerFault";
}

const BY_STATUS: Readonly<Record<number, typeof Refused>> = {
  401: Unauthorized,
  403: Forbidden,
  404: NotFound,
  409: Conflict,
  422: InvalidInput,
  429: RateLimited,
  503: Unavailable,
  504: Unavailable,
};

/** The error of an answer that is no success. */
export async function refusalOf(response: Response): Promise<MarqueeError> {
  const { status } = response;
  if (status < 400) return new UnreadableAnswer(`status ${status} from ${response.url}: is this Marquee's address?`);
  const kind = BY_STATUS[status] ?? (status >= 500 ? ServerFault : BadRequest);
  return new kind(status, problemOf(await response.text()), retryAfterMs(response.headers.get("Retry-After")));
}

function problemOf(text: string): Problem | null {
  try {
    const document = parseJson(text) as Partial<Problem> | null;
    return typeof document?.code === "string" && typeof document.detail === "string" ? (document as Problem) : null;
  } catch {
    return null; // an answer of a proxy
  }
}
