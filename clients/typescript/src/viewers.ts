/** What viewers do: rate, view, dismiss, and keep a watchlist; and what is known of them. */

import { Catalogue } from "./catalogue.js";
import { operations } from "./operations.js";
import type { Call, CallOptions, MovieId, Operation, UserId, WriteOptions } from "./operation.js";
import type { Answer, Query } from "./types.js";

/** What a write says of where it came from. */
export interface FromList extends WriteOptions {
  /** The list that showed the film. */
  recommendationId?: string;
}

/** Calls about one viewer. Each write is remembered: the viewer's next reads follow it. */
export class Viewers extends Catalogue {
  /** Give a film a rating, 0.5 to 5 stars in halves, in the place of the former one. */
  rate(userId: UserId, movieId: MovieId, rating: number, options: FromList = {}): Promise<Answer<"put_rating">> {
    const body = { rating, recommendation_id: options.recommendationId };
    return this.send({ ...writeOf(operations.put_rating, userId, movieId, options), body });
  }

  /** Take a rating back. */
  unrate(userId: UserId, movieId: MovieId, options: WriteOptions = {}): Promise<Answer<"delete_rating">> {
    return this.send(writeOf(operations.delete_rating, userId, movieId, options));
  }

  /** Say that a viewer has seen a film. */
  view(userId: UserId, movieId: MovieId, options: FromList = {}): Promise<Answer<"add_view">> {
    const body = { movie_id: movieId, recommendation_id: options.recommendationId };
    return this.send({ operation: operations.add_view, path: { user_id: userId }, body, writers: [userId], options });
  }

  /** Keep a film out of a viewer's lists. */
  dismiss(userId: UserId, movieId: MovieId, options: WriteOptions = {}): Promise<Answer<"put_dismissed">> {
    return this.send(writeOf(operations.put_dismissed, userId, movieId, options));
  }

  /** Let a dismissed film come again. */
  restore(userId: UserId, movieId: MovieId, options: WriteOptions = {}): Promise<Answer<"delete_dismissed">> {
    return this.send(writeOf(operations.delete_dismissed, userId, movieId, options));
  }

  /** Put a film on a viewer's watchlist. */
  addToWatchlist(userId: UserId, movieId: MovieId, options: FromList = {}): Promise<Answer<"put_watchlist">> {
    const query = { recommendation_id: options.recommendationId };
    return this.send({ ...writeOf(operations.put_watchlist, userId, movieId, options), query });
  }

  /** Take a film off a viewer's watchlist. */
  removeFromWatchlist(userId: UserId, movieId: MovieId, options: WriteOptions = {}): Promise<Answer<"delete_watchlist">> {
    return this.send(writeOf(operations.delete_watchlist, userId, movieId, options));
  }

  /** A page of a viewer's watchlist, the newest film first. */
  watchlist(userId: UserId, query: Query<"list_watchlist"> = {}, options: CallOptions = {}): Promise<Answer<"list_watchlist">> {
    return this.send(readOf(operations.list_watchlist, userId, query, options));
  }

  /** The pages of a viewer's watchlist. */
  watchlistPages(userId: UserId, query: Query<"list_watchlist"> = {}, options: CallOptions = {}): AsyncGenerator<Answer<"list_watchlist">> {
    return this.pages(readOf(operations.list_watchlist, userId, query, options));
  }

  /** A page of what a viewer has rated, the newest first. */
  ratings(userId: UserId, query: Query<"list_ratings"> = {}, options: CallOptions = {}): Promise<Answer<"list_ratings">> {
    return this.send(readOf(operations.list_ratings, userId, query, options));
  }

  /** The pages of what a viewer has rated. */
  ratingPages(userId: UserId, query: Query<"list_ratings"> = {}, options: CallOptions = {}): AsyncGenerator<Answer<"list_ratings">> {
    return this.pages(readOf(operations.list_ratings, userId, query, options));
  }

  /** What is known of a viewer, in numbers, and the route of the viewer's lists. */
  user(userId: UserId, query: Query<"get_user"> = {}, options: CallOptions = {}): Promise<Answer<"get_user">> {
    return this.send(readOf(operations.get_user, userId, query, options));
  }

  /** All that is known of a viewer: ratings with times, views, dismissals, the watchlist. */
  export(userId: UserId, query: Omit<Query<"export_user">, "format"> = {}, options: CallOptions = {}): Promise<Answer<"export_user">> {
    return this.send(readOf(operations.export_user, userId, query, options));
  }

  /** Forget a viewer for good. */
  erase(userId: UserId, options: WriteOptions = {}): Promise<Answer<"erase_user">> {
    return this.send({ operation: operations.erase_user, path: { user_id: userId }, writers: [userId], options });
  }

  /** A token for a viewer's page, for a server to ask for: who holds it asks and writes for this viewer alone. */
  viewerToken(userId: UserId, seconds?: number, options: CallOptions = {}): Promise<Answer<"issue_token">> {
    return this.send({ operation: operations.issue_token, path: { user_id: userId }, body: { seconds }, options });
  }
}

/** A call that reads what is known of a viewer. */
export function readOf(operation: Operation, userId: UserId, query: object, options: CallOptions): Call {
  return { operation, path: { user_id: userId }, query, reader: userId, options };
}

function writeOf(operation: Operation, userId: UserId, movieId: MovieId, options: WriteOptions): Call {
  return { operation, path: { user_id: userId, movie_id: movieId }, writers: [userId], options };
}
