/** Calls of the API: an operation, and what it is called with. */

export type UserId = number | string;
export type MovieId = number | string;

/** A call of the API, as its OpenAPI document describes it. */
export interface Operation {
  /** Its `operationId`. */
  readonly name: string;
  readonly method: string;
  /** With the names of its parts in braces. */
  readonly path: string;
  /** Whether it takes an Idempotency-Key. */
  readonly takesKey: boolean;
  /** Whether it may be sent more than once: it changes nothing, or takes a key. */
  readonly repeatable: boolean;
}

/** What holds for one call alone. */
export interface CallOptions {
  /** Ends the call: it throws the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds until a try fails, in the place of the client's. */
  timeoutMs?: number;
}

/** What holds for one write alone. */
export interface WriteOptions extends CallOptions {
  /** A key of the caller's choice, where the caller itself may repeat the call; else the client makes one. */
  idempotencyKey?: string;
}

/** An operation with the values of one call. */
export interface Call {
  operation: Operation;
  /** Values of the parts of its path. */
  path?: Readonly<Record<string, UserId>>;
  /** Parameters by the names of the API. */
  query?: object;
  /** The JSON body. */
  body?: object;
  /** The viewer whose last write the answer is to follow. */
  reader?: UserId;
  /** The viewers whose facts it changes. */
  writers?: readonly UserId[];
  options?: WriteOptions;
}

/** The path of a call, whatever letters the ids have. */
export function pathOf(call: Call): string {
  return call.operation.path.replace(/\{(\w+)\}/g, (_, name: string) => part(name, String(call.path?.[name] ?? "")));
}

/** A query string: lists are repeated, what is null or undefined is left out. */
export function queryOf(values: object): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) query.append(name, String(one));
    }
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

function part(name: string, value: string): string {
  if (!value) throw new TypeError(`${name}: an id must not be empty`);
  // Dots alone lead to another path, and no address can keep them.
  if (/^\.{1,2}$/.test(value)) throw new TypeError(`${name}: ${value} is no id`);
  return encodeURIComponent(value);
}
