/** Following of a list: Server-Sent Events over `fetch`, which go on after breaks. */

import { FollowingEnded, MarqueeError, NoToken, refusalOf, UnreadableAnswer } from "./errors.js";
import { EventParser, type Message } from "./event-stream.js";
import { parseJson } from "./json.js";
import type { CallOptions } from "./operation.js";
import { drawnPauseMs, RETRIED_STATUSES, retryAfterMs, type Retries } from "./retries.js";
import type { RecommendationsDocument } from "./schema.js";
import { failureOf } from "./transport.js";
import { Limit, wait } from "./waiting.js";

export interface FollowOptions extends CallOptions {
  /** Called with the error of each break, before the client connects again. */
  onBreak?: (error: MarqueeError) => void;
  /** Called when a connection stands, with the first answer of the gateway. */
  onOpen?: () => void;
  /** Milliseconds without a sign of life after which a connection counts as broken; the gateway gives one in 15 s. */
  silenceMs?: number;
}

/** How a stream is asked for. */
export interface Connection {
  /** Send the request, with the id of the last list that was seen. */
  open(lastId: string, signal: AbortSignal): Promise<Response>;
  /** Whether there is another token than the one that ended. */
  renew(): Promise<boolean>;
}

/** A break of the connection, after which it is to be opened again. */
class Break extends Error {
  constructor(
    readonly error: MarqueeError,
    readonly askedMs: number | null,
  ) {
    super(error.message);
  }
}

/** Where a follower stands between two connections. */
interface Place {
  lastId: string;
  /** Milliseconds that the gateway asks to wait before the next connection. */
  retryMs: number;
  /** Connections that failed since the last sign of life. */
  failed: number;
}

/**
 * Yield the lists of a stream, over as many connections as it takes.
 *
 * @param connection How it is asked for.
 * @param retries Rule of the pauses between connections that fail; they are tried without end.
 */
export async function* followed(connection: Connection, retries: Retries, options: FollowOptions): AsyncGenerator<RecommendationsDocument, void, undefined> {
  const place: Place = { lastId: "", retryMs: 1000, failed: 0 };
  while (!options.signal?.aborted) {
    try {
      yield* lists(connection, place, options);
    } catch (error) {
      if (options.signal?.aborted) return;
      if (error instanceof FollowingEnded && error.code === "unauthorized" && (await connection.renew())) continue;
      if (!(error instanceof Break)) throw error;
      place.failed += 1;
      options.onBreak?.(error.error);
      const pause = Math.max(place.retryMs, error.askedMs ?? 0) + drawnPauseMs(retries, place.failed);
      await wait(pause, options.signal).catch(() => undefined);
    }
  }
}

/** Yield the lists of one connection; it always ends with an error. */
async function* lists(connection: Connection, place: Place, options: FollowOptions): AsyncGenerator<RecommendationsDocument, never, undefined> {
  const limit = new Limit(options.silenceMs ?? 45_000, options.signal);
  try {
    const response = await connection.open(place.lastId, limit.signal);
    await check(response);
    options.onOpen?.();
    for await (const message of messages(response, place, limit)) {
      if (message.type === "end") throw endOf(message);
      if (message.type !== "list") continue;
      place.lastId = message.id;
      yield parseJson(message.data) as RecommendationsDocument;
    }
    throw new Break(failureOf(new Error("the stream ended"), limit), null);
  } catch (error) {
    // What fails in the body of the caller's loop does not come here: it ends the generator.
    if (error instanceof NoToken) throw new Break(error, null);
    throw error instanceof MarqueeError || error instanceof Break ? error : new Break(failureOf(error, limit), null);
  } finally {
    limit.close();
  }
}

function endOf(message: Message): FollowingEnded {
  const { code = "", reason = "" } = parseJson(message.data) as { code?: string; reason?: string };
  return new FollowingEnded(code, reason);
}

/** Refuse an answer that is no stream. */
async function check(response: Response): Promise<void> {
  if (!response.ok) {
    const asked = retryAfterMs(response.headers.get("Retry-After"));
    const error = await refusalOf(response);
    throw RETRIED_STATUSES.has(response.status) || response.status >= 500 ? new Break(error, asked) : error;
  }
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    await response.body?.cancel();
    throw new UnreadableAnswer(`${response.url} sends no stream: is this Marquee's address?`);
  }
}

/** Yield the messages of an answer, and leave its connection in the end. */
async function* messages(response: Response, place: Place, limit: Limit): AsyncGenerator<Message> {
  const parser = new EventParser();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      place.failed = 0;
      limit.pause(); // the caller may take its time with a list
      for (const said of parser.take(part.value)) {
        if ("retryMs" in said) place.retryMs = said.retryMs;
        else if ("data" in said) yield said;
      }
      limit.restart();
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
