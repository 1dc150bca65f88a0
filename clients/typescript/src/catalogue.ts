/** The catalogue: search, films, genres; and events of any kind. */

import { operations } from "./operations.js";
import type { Call, CallOptions, MovieId, UserId, WriteOptions } from "./operation.js";
import { Transport } from "./transport.js";
import type { Answer, Body, Query } from "./types.js";

/** What the audit says of a change. */
export interface ChangeOptions extends WriteOptions {
  reason?: string;
}

/** Calls about films, and the one that takes events. */
export class Catalogue extends Transport {
  /** A page of films by words of their titles; all films without words. */
  search(words = "", query: Query<"list_movies"> = {}, options: CallOptions = {}): Promise<Answer<"list_movies">> {
    return this.send(searchOf(words, query, options));
  }

  /** The pages of films by words of their titles. */
  searchPages(words = "", query: Query<"list_movies"> = {}, options: CallOptions = {}): AsyncGenerator<Answer<"list_movies">> {
    return this.pages(searchOf(words, query, options));
  }

  /** A film. */
  movie(movieId: MovieId, options: CallOptions = {}): Promise<Answer<"get_movie">> {
    return this.send({ operation: operations.get_movie, path: { movie_id: movieId }, options });
  }

  /** The genres of the catalogue. */
  genres(options: CallOptions = {}): Promise<Answer<"list_genres">> {
    return this.send({ operation: operations.list_genres, options });
  }

  /** Films like one. */
  similar(movieId: MovieId, query: Query<"list_similar_movies"> = {}, options: CallOptions = {}): Promise<Answer<"list_similar_movies">> {
    return this.send(similarOf(movieId, query, options));
  }

  /** The pages of films like one; no film comes twice. */
  similarPages(movieId: MovieId, query: Query<"list_similar_movies"> = {}, options: CallOptions = {}): AsyncGenerator<Answer<"list_similar_movies">> {
    return this.pages(similarOf(movieId, query, options));
  }

  /** Add a film; without `movie_id` the gateway gives it one. */
  addMovie(movie: Body<"add_movie">, options: ChangeOptions = {}): Promise<Answer<"add_movie">> {
    return this.send({ operation: operations.add_movie, query: reasonOf(options), body: movie, options });
  }

  /** Change fields of a film; null clears one, those left out stay. */
  updateMovie(movieId: MovieId, fields: Body<"update_movie">, options: ChangeOptions = {}): Promise<Answer<"update_movie">> {
    const path = { movie_id: movieId };
    return this.send({ operation: operations.update_movie, path, query: reasonOf(options), body: fields, options });
  }

  /** Take a film out of the catalogue and of all lists. */
  removeMovie(movieId: MovieId, options: ChangeOptions = {}): Promise<Answer<"remove_movie">> {
    const path = { movie_id: movieId };
    return this.send({ operation: operations.remove_movie, path, query: reasonOf(options), options });
  }

  /**
   * Publish up to 1,000 events. The answer tells of each whether it was accepted; where all were rejected, the call
   * throws `InvalidInput`. Reads of the viewers whom events name follow them, as they follow the other writes.
   */
  publish(events: Body<"publish_events">["events"], options: WriteOptions = {}): Promise<Answer<"publish_events">> {
    return this.send({ operation: operations.publish_events, body: { events }, writers: viewersOf(events), options });
  }
}

function searchOf(words: string, query: Query<"list_movies">, options: CallOptions): Call {
  return { operation: operations.list_movies, query: { ...query, query: words || null }, options };
}

function similarOf(movieId: MovieId, query: Query<"list_similar_movies">, options: CallOptions): Call {
  return { operation: operations.list_similar_movies, path: { movie_id: movieId }, query, options };
}

function reasonOf(options: ChangeOptions): object {
  return { reason: options.reason };
}

/** The viewers whom events name; what is wrong in events is for the gateway to say. */
function viewersOf(events: readonly object[]): UserId[] {
  const named = events.map((event) => (event as { data?: { user_id?: unknown } | null }).data?.user_id);
  return named.filter((id): id is UserId => typeof id === "number" || typeof id === "string");
}
