/** Sending of calls: retries, tokens of writes, time limits, refusals. */

import { NoAnswer, NoToken, refusalOf, TimedOut, UnreadableAnswer } from "./errors.js";
import { parseJson } from "./json.js";
import { pathOf, queryOf, type Call, type CallOptions } from "./operation.js";
import { checkedRetries, DEFAULT_RETRIES, pauseMs, RETRIED_STATUSES, retryAfterMs, type Retries } from "./retries.js";
import { Limit, wait } from "./waiting.js";
import { WriteTokens } from "./write-tokens.js";

/** Gives the token of a viewer. `refused` is the one that the gateway did not take, if that is why it is asked. */
export type TokenSource = (refused?: string) => string | Promise<string>;

export interface MarqueeOptions {
  /** Key of the caller, token of a viewer, or what gives one: asked before the first call, and where one is refused. */
  token?: string | TokenSource;
  /** Rule of retries, in parts; `{ attempts: 1 }`: none. */
  retries?: Partial<Retries>;
  /** Milliseconds until a try fails: 15,000 by default, since a read may wait ten seconds for a write. */
  timeoutMs?: number;
  /** Where viewers' last writes are remembered; `new WriteTokens(0)` remembers none. */
  writeTokens?: WriteTokens;
  /** Sends requests, in the place of the platform's `fetch`. */
  fetch?: typeof fetch;
}

/** Connection to a gateway. */
export class Transport {
  readonly #base: string;
  readonly #source: TokenSource | undefined;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  #token: string | undefined;
  #asked: Promise<void> | undefined;
  protected readonly retries: Retries;
  protected readonly writeTokens: WriteTokens;

  /**
   * @param url Address of the gateway, with its prefix if it has one.
   * @throws TypeError The address is not one of HTTP.
   */
  constructor(url: string | URL, options: MarqueeOptions = {}) {
    const { protocol, origin, pathname } = new URL(url);
    if (!/^https?:$/.test(protocol)) throw new TypeError(`url: ${String(url)} must begin with http:// or https://`);
    this.#base = origin + pathname.replace(/\/+$/, "");
    this.#source = typeof options.token === "function" ? options.token : undefined;
    this.#token = typeof options.token === "string" ? options.token : undefined;
    // A browser's fetch must be called on the window.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.retries = checkedRetries({ ...DEFAULT_RETRIES, ...options.retries });
    this.writeTokens = options.writeTokens ?? new WriteTokens();
  }

  /** Make a call; its answer is of the type that the operation has. */
  protected async send<A>(call: Call): Promise<A> {
    const text = await this.#tried(call);
    const answer = this.#read<A>(call, text);
    const token = (answer as { token?: unknown }).token;
    if (typeof token === "string") {
      for (const viewer of call.writers ?? []) this.writeTokens.remember(viewer, token);
    }
    return answer;
  }

  /** Yield the page of a call, and those that follow. */
  protected async *pages<A extends { next_cursor: string | null }>(call: Call): AsyncGenerator<A, void, undefined> {
    for (let at = call; ; ) {
      const page = await this.send<A>(at);
      yield page;
      const cursor = page.next_cursor;
      if (cursor === null) return;
      at = call.body ? { ...call, body: { ...call.body, cursor } } : { ...call, query: { ...call.query, cursor } };
    }
  }

  /** Send one request; a refused token is replaced once, where there is another one. */
  protected async request(prepared: Prepared, signal: AbortSignal): Promise<Response> {
    const sent = await this.#currentToken();
    const response = await this.#fetched(prepared, signal, sent);
    if (response.status !== 401 || !this.#source) return response;
    if (!(await this.renewed(sent))) return response;
    await response.body?.cancel();
    return this.#fetched(prepared, signal, this.#token);
  }

  /** What is sent for a call, in each try the same; what is wrong in it is thrown here, before it is sent. */
  protected prepared(call: Call, headers: Record<string, string>): Prepared {
    const kind: Record<string, string> = call.body ? { "Content-Type": "application/json" } : {};
    return {
      url: this.#base + pathOf(call) + queryOf(this.#parametersOf(call)),
      method: call.operation.method,
      headers: { Accept: "application/json", ...kind, ...headers },
      body: call.body ? JSON.stringify(call.body) : null,
    };
  }

  /** Ask for another token than the one that was refused; return whether there is one now. */
  protected async renewed(refused: string | undefined = this.#token): Promise<boolean> {
    // Of calls that were refused together, one asks.
    if (this.#source && this.#token === refused) await (this.#asked ??= this.#ask(this.#source, refused));
    return this.#token !== refused;
  }

  /** Parameters to send: `after` is the token of the viewer's last write, unless it is given. */
  #parametersOf(call: Call): object {
    const query = call.query ?? {};
    if (call.reader === undefined || (query as { after?: unknown }).after !== undefined) return query;
    return { ...query, after: this.writeTokens.last(call.reader) };
  }

  async #currentToken(): Promise<string | undefined> {
    if (this.#token === undefined && this.#source) await (this.#asked ??= this.#ask(this.#source));
    return this.#token;
  }

  async #ask(source: TokenSource, refused?: string): Promise<void> {
    try {
      this.#token = await source(refused);
    } catch (error) {
      throw new NoToken("the source of tokens gave none", { cause: error });
    } finally {
      this.#asked = undefined;
    }
  }

  /** Send a request until it has an answer that is not to be asked for again; return its text. */
  async #tried(call: Call): Promise<string> {
    const prepared = this.prepared(call, keyOf(call));
    const started = performance.now();
    for (let failed = 1; ; failed += 1) {
      const result = await this.#once(prepared, call.options ?? {});
      if (typeof result === "string") return result;
      const elapsed = performance.now() - started;
      const repeatable = call.operation.repeatable && result.again;
      const pause = repeatable ? pauseMs(this.retries, failed, result.askedMs, elapsed) : null;
      if (pause === null) throw result.error;
      await wait(pause, call.options?.signal);
    }
  }

  /** Send a request once; return the text of its answer, or how it failed. */
  async #once(prepared: Prepared, options: CallOptions): Promise<string | Failure> {
    const caller = options.signal;
    caller?.throwIfAborted();
    const limit = new Limit(options.timeoutMs ?? this.#timeoutMs, caller);
    try {
      const response = await this.request(prepared, limit.signal);
      if (response.ok) return await response.text();
      const askedMs = retryAfterMs(response.headers.get("Retry-After"));
      return { error: await refusalOf(response), again: RETRIED_STATUSES.has(response.status), askedMs };
    } catch (error) {
      if (caller?.aborted) throw error;
      return { error: error instanceof NoToken ? error : failureOf(error, limit), again: true, askedMs: null };
    } finally {
      limit.close();
    }
  }

  #fetched({ url, ...prepared }: Prepared, signal: AbortSignal, token?: string): Promise<Response> {
    const headers = token === undefined ? prepared.headers : { ...prepared.headers, Authorization: `Bearer ${token}` };
    return this.#fetch(url, { ...prepared, headers, credentials: "omit", signal });
  }

  #read<A>(call: Call, text: string): A {
    let answer: unknown;
    try {
      answer = parseJson(text);
    } catch (error) {
      throw new UnreadableAnswer(`${call.operation.name}: the answer is no JSON`, { cause: error });
    }
    if (typeof answer !== "object" || answer === null) {
      throw new UnreadableAnswer(`${call.operation.name}: the answer is no document`);
    }
    return answer as A;
  }
}

/** What is sent for a call, but for the token. */
export interface Prepared {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: string | null;
}

/** How a try failed: whether it may be made again, and the wait that its answer asks for. */
interface Failure {
  error: Error;
  again: boolean;
  askedMs: number | null;
}

/** The error of a try that got no answer. */
export function failureOf(error: unknown, limit: Limit): NoAnswer {
  if (limit.passed) return new TimedOut("no answer in time", { cause: error });
  return new NoAnswer("the gateway cannot be reached, or the connection broke", { cause: error });
}

/** All tries of a write have the same key, so one takes effect. */
function keyOf(call: Call): Record<string, string> {
  return call.operation.takesKey ? { "Idempotency-Key": call.options?.idempotencyKey ?? drawnKey() } : {};
}

/** A key that is new; pages without TLS have no `crypto.randomUUID`. */
function drawnKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

