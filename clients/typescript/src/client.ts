/** The client: lists of films, and all that `Viewers` and `Catalogue` call. */

import { followed, type FollowOptions } from "./following.js";
import { operations } from "./operations.js";
import type { Call, CallOptions, UserId } from "./operation.js";
import type { RecommendationsDocument } from "./schema.js";
import type { Prepared } from "./transport.js";
import type { Answer, Body, Query, SegmentKind } from "./types.js";
import { readOf, Viewers } from "./viewers.js";

/** A client of Marquee's HTTP API. */
export class Marquee extends Viewers {
  /** A list for a viewer; anyone has one, also who has never been seen. */
  recommend(userId: UserId, query: Query<"recommend_user"> = {}, options: CallOptions = {}): Promise<Answer<"recommend_user">> {
    return this.send(readOf(operations.recommend_user, userId, query, options));
  }

  /** The pages of a viewer's list; no film comes twice. */
  recommendationPages(userId: UserId, query: Query<"recommend_user"> = {}, options: CallOptions = {}): AsyncGenerator<Answer<"recommend_user">> {
    return this.pages(readOf(operations.recommend_user, userId, query, options));
  }

  /**
   * Follow a viewer's list: it comes at once, and again whenever it differs. The loop ends with its `break` or with
   * `options.signal`, and otherwise goes on over breaks of the connection.
   *
   * @throws FollowingEnded The gateway says that the list does not go on.
   * @throws Refused The call has to be mended, or the token is not valid any more.
   */
  follow(userId: UserId, query: Omit<Query<"follow_user">, "wait"> = {}, options: FollowOptions = {}): AsyncGenerator<RecommendationsDocument, void, undefined> {
    const call = readOf(operations.follow_user, userId, query, options);
    const prepare = (last: Record<string, string>): Prepared => this.prepared(call, { Accept: "text/event-stream", ...last });
    prepare({}); // what is wrong in the call is told at once
    const open = (lastId: string, signal: AbortSignal): Promise<Response> =>
      this.request(prepare(lastId ? { "Last-Event-ID": lastId } : {}), signal);
    return followed({ open, renew: () => this.renewed() }, this.retries, options);
  }

  /** A list for a session that is no user, from what it has seen and rated. */
  recommendSession(session: Body<"recommend_session">, options: CallOptions = {}): Promise<Answer<"recommend_session">> {
    return this.send(sessionOf(session, options));
  }

  /** The pages of a session's list; no film comes twice. */
  sessionPages(session: Body<"recommend_session">, options: CallOptions = {}): AsyncGenerator<Answer<"recommend_session">> {
    return this.pages(sessionOf(session, options));
  }

  /** The rows of a viewer's page; no film is in two of them. */
  shelves(userId: UserId, query: Query<"list_shelves"> = {}, options: CallOptions = {}): Promise<Answer<"list_shelves">> {
    return this.send(readOf(operations.list_shelves, userId, query, options));
  }

  /** Lists for up to 100 viewers, each with a list or a problem. */
  batch(request: Body<"recommend_batch">, options: CallOptions = {}): Promise<Answer<"recommend_batch">> {
    return this.send({ operation: operations.recommend_batch, body: request, options });
  }

  /** One list for two to five viewers who watch together. */
  together(request: Body<"recommend_together">, options: CallOptions = {}): Promise<Answer<"recommend_together">> {
    return this.send({ operation: operations.recommend_together, body: request, options });
  }

  /** The segments of films or of viewers, and what sets each apart. */
  segments(kind: SegmentKind, options: CallOptions = {}): Promise<Answer<"list_segments">> {
    return this.send({ operation: operations.list_segments, path: { kind }, options });
  }

  /** Films of a segment of films, or for a segment of viewers. */
  recommendSegment(kind: SegmentKind, id: number, query: Query<"recommend_segment"> = {}, options: CallOptions = {}): Promise<Answer<"recommend_segment">> {
    return this.send(segmentOf(kind, id, query, options));
  }

  /** The pages of a segment's films; no film comes twice. */
  segmentPages(kind: SegmentKind, id: number, query: Query<"recommend_segment"> = {}, options: CallOptions = {}): AsyncGenerator<Answer<"recommend_segment">> {
    return this.pages(segmentOf(kind, id, query, options));
  }

  /** The rating of each film that a viewer, or a session by its ratings, would give. */
  predict(request: Body<"predict">, options: CallOptions = {}): Promise<Answer<"predict">> {
    return this.send({ operation: operations.predict, body: request, options });
  }
}

function segmentOf(kind: SegmentKind, id: number, query: object, options: CallOptions): Call {
  return { operation: operations.recommend_segment, path: { kind, segment_id: id }, query, options };
}

function sessionOf(session: object, options: CallOptions): Call {
  return { operation: operations.recommend_session, body: session, options };
}
