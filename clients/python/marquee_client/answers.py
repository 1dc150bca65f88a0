"""Answers of the API: made by `make clients` from the gateway's OpenAPI document; do not edit.

Fields that a later gateway adds are kept, and can be read as attributes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """Part of an answer."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class AddedMovie(Document):
    """Fields of AddedMovie.

    Attributes:
        token: Give it as `after` to a read that must follow this write.
    """

    event_id: str
    token: str
    accepted_at: datetime
    movie_id: int | str


class Batch(Document):
    """Lists of many viewers, in the order of the request."""

    lists: int
    problems: int
    items: list[BatchItem]


class BatchItem(Document):
    """A viewer's list, or why there is none.

    Attributes:
        user_id: The viewer, as the request names them; null where that is no name.
    """

    user_id: str | int | None
    list: Recommendations | None
    problem: OwnProblem | None


class Erased(Document):
    """Fields of Erased.

    Attributes:
        token: Give it as `after` to a read that must follow this write.
    """

    event_id: str
    token: str
    accepted_at: datetime
    receipt: Erasure


class Erasure(Document):
    """The receipt of an erasure; it names no viewer.

    Attributes:
        id: Ask `GET /v1/erasures/{id}` for it again.
        offset: The position of the erasure in the log.
    """

    id: str
    requested_at: datetime
    requested_by: str
    partition: str
    offset: int
    event_id: str
    stores: list[ErasureStore]


class ErasureStore(Document):
    """Fields of ErasureStore.

    Attributes:
        removed: Null where that is not known now.
        detail: What is left and until when, or when it is removed.
    """

    store: str
    removed: bool | None
    detail: str


class EventOutcome(Document):
    """Fields of EventOutcome.

    Attributes:
        status: Now one of `accepted`, `duplicate`, `rejected`.
        errors: Each field that is wrong.
    """

    index: int
    id: str | None
    status: str
    detail: str | None = None
    errors: list[Field] | None = None


class Events(Document):
    """Fields of Events."""

    accepted: int
    duplicates: int
    rejected: int
    token: str | None
    items: list[EventOutcome]


class Evidence(Document):
    """Fields of Evidence.

    Attributes:
        unknown: Films rated or viewed that are not in the catalogue: they do not count.
    """

    ratings: int
    positive: int
    viewed: int
    unknown: int


class ExpectedRating(Document):
    """The rating that a viewer is expected to give, or has given.

    Attributes:
        confidence: As of `POST /v1/predictions`; 1 for a given rating.
        rated: Whether the viewer has given it.
    """

    user_id: int | str
    rating: float | None
    confidence: float
    rated: bool


class Export(Document):
    """All that is known of a viewer, the newest first in each list."""

    user: User
    ratings: list[ExportedRating]
    viewed: list[MovieSummary]
    dismissed: list[MovieSummary]
    watchlist: list[MovieSummary]


class ExportedRating(Document):
    """Fields of ExportedRating.

    Attributes:
        rated_at: Null where the time is not known.
    """

    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None
    rating: float
    rated_at: datetime | None


class Fallback(Document):
    """Fields of Fallback.

    Attributes:
        route: Now one of `popular`, `similar`, `hybrid`, `user-cluster`, `neural`.
    """

    route: str
    why: str


class Field(Document):
    """Fields of Field."""

    field: str
    detail: str
    allowed: list[Any] | None = None


class Genre(Document):
    """Fields of Genre."""

    name: str
    films: int


class Genres(Document):
    """Fields of Genres.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
    """

    degraded: bool
    items: list[Genre]


class Ground(Document):
    """Fields of Ground.

    Attributes:
        weight: Its share of the score.
    """

    movie_id: int | str
    title: str | None
    weight: float


class Listed(Document):
    """Fields of Listed.

    Attributes:
        seen: Whether the viewer has rated or viewed it.
    """

    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None
    seen: bool


class Movie(Document):
    """Fields of Movie.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
        tags: Tag → relevance in 0..1, most relevant first.
        positive: Ratings above 3.5 stars.
        mean_rating: Mean in stars, drawn to the mean of all.
    """

    degraded: bool
    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None
    overview: str | None = None
    links: MovieLinks | None = None
    people: list[str] | None = None
    keywords: list[str] | None = None
    moods: list[str] | None = None
    tags: dict[str, float]
    ratings: int
    positive: int
    mean_rating: float | None


class MovieLinks(Document):
    """A film's ids elsewhere."""

    imdb: str | None = None
    tmdb: int | None = None


class MovieSummary(Document):
    """A film; optional fields are left out where they are not known."""

    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None


class Movies(Document):
    """Fields of Movies.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
    """

    degraded: bool
    items: list[MovieSummary]
    next_cursor: str | None


class OwnProblem(Document):
    """Why one viewer of a batch has no list."""

    type: str
    status: int
    code: str
    detail: str


class Prediction(Document):
    """Fields of Prediction.

    Attributes:
        rating: Stars; null for a film that nobody knows.
        confidence: Probability that the rating is at most half a star off, by how many ratings the
            viewer gave and the film got; 0 where the rating is not the network's but a mean.
    """

    movie_id: int | str
    rating: float | None
    confidence: float


class Predictions(Document):
    """Fields of Predictions.

    Attributes:
        notes: What of the request was not used, and why.
    """

    items: list[Prediction]
    model_version: str
    degraded: bool
    fallbacks: list[Fallback]
    notes: list[str]


class Rated(Document):
    """Fields of Rated."""

    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None
    rating: float


class Ratings(Document):
    """Fields of Ratings.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
        profile: Now one of `known`, `unavailable`.
    """

    degraded: bool
    items: list[Rated]
    next_cursor: str | None
    profile: str
    fresh: bool


class Receipt(Document):
    """A write that the log has.

    Attributes:
        token: Give it as `after` to a read that must follow this write.
    """

    event_id: str
    token: str
    accepted_at: datetime


class Recommendation(Document):
    """Fields of Recommendation.

    Attributes:
        reason: Now one of `popular`, `popular_in_genre`, `popular_in_your_genres`,
            `similar_to_viewed`, `because_you_liked`, `liked_by_similar_viewers`,
            `predicted_for_you`, `new`, `on_your_watchlist`, `promoted`.
        because: The films that it rests on.
    """

    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None
    score: float
    reason: str
    because: list[Ground]
    promoted: bool


class Recommendations(Document):
    """A list, and how it came to be.

    Attributes:
        route: The route that gave the list (the first film of it). Now one of `popular`, `similar`,
            `hybrid`, `user-cluster`, `neural`.
        reason: What is known of the viewer, and the rule that chose the route.
        route_reason: The same as `reason`.
        profile: Now one of `known`, `unavailable`.
        degraded: Whether a route down the chain had to help out, or the store is away.
        fallbacks: Routes that did not fill the list.
        fresh: Whether the write of `after` is part of the answer.
        next_cursor: Give it as `cursor`, with the same filters, for the next page; null where no
            further film can be shown, or 500 have been.
        notes: What of the request was not used, and why.
    """

    recommendation_id: str
    user_id: int | str | None
    route: str
    reason: str
    route_reason: str
    evidence: Evidence
    profile: str
    degraded: bool
    fallbacks: list[Fallback]
    model_version: str
    fresh: bool
    items: list[Recommendation]
    next_cursor: str | None
    notes: list[str]
    explain: dict[str, Any] | None = None


class Segment(Document):
    """Films that are alike, or viewers whose likes are.

    Attributes:
        named: Whether an operator gave the name.
        kept: Whether the next trainings make it again.
        size: Films, or viewers at the training; 5 viewers at least.
        genres: Share of its films or likes in each genre.
        apart: What is more frequent in it than elsewhere.
    """

    id: int
    name: str
    named: bool
    kept: bool
    size: int
    genres: dict[str, float]
    apart: dict[str, list[str]]
    typical: list[MovieSummary]


class SegmentList(Document):
    """Fields of SegmentList.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
        kind: Now one of `movies`, `users`.
        next_cursor: Give it as `cursor`, with the same filters, for the next page; null where no
            further film can be shown, or 500 have been.
        notes: What is to be said of filters that leave no film; mostly nothing.
    """

    degraded: bool
    kind: str
    segment: int
    model_version: str
    items: list[Recommendation]
    next_cursor: str | None
    notes: list[str]


class Segments(Document):
    """Fields of Segments.

    Attributes:
        kind: Now one of `movies`, `users`.
        wanted: The number that the next training makes; null: any.
        choice: How their number was chosen: votes and curves.
    """

    kind: str
    model_version: str
    wanted: int | None
    choice: dict[str, Any]
    items: list[Segment]


class Shelf(Document):
    """A row of films.

    Attributes:
        kind: What the row is of: clients translate it. Now one of `for_you`, `because_you_liked`,
            `because_you_viewed`, `genre`, `new`, `segment`, `watchlist`, `popular`.
        title: The row's title in English.
        movie: The film that it rests on, of `because_you_liked` and `because_you_viewed`.
        genre: Its genre, of the kind `genre`.
        segment: The segment of viewers, of the kind `segment`.
    """

    kind: str
    title: str
    movie: MovieSummary | None
    genre: str | None
    segment: int | None
    items: list[Recommendation]


class Shelves(Document):
    """The rows of a viewer's page, and how they came to be.

    Attributes:
        route: The route that gave the viewer's own list. Now one of `popular`, `similar`, `hybrid`,
            `user-cluster`, `neural`.
        profile: Now one of `known`, `unavailable`.
        degraded: Whether a service did not answer, so that rows are missing, or the store is away.
        fresh: Whether the write of `after` is part of the answer.
    """

    recommendation_id: str
    user_id: int | str | None
    route: str
    reason: str
    route_reason: str
    evidence: Evidence
    profile: str
    degraded: bool
    fallbacks: list[Fallback]
    model_version: str
    fresh: bool
    rows: list[Shelf]
    notes: list[str]


class Similar(Document):
    """Fields of Similar.

    Attributes:
        degraded: Whether popular films fill the list up, or the store is away.
        next_cursor: Give it as `cursor`, with the same filters, for the next page; null where no
            further film can be shown, or 500 have been.
        notes: What is to be said of filters that leave no film; mostly nothing.
    """

    movie_id: int | str
    model_version: str
    degraded: bool
    fallbacks: list[Fallback]
    items: list[Recommendation]
    next_cursor: str | None
    notes: list[str]


class Together(Document):
    """A list for several viewers.

    Attributes:
        profile: Now one of `known`, `unavailable`.
        notes: What is to be said of the list, if anything.
    """

    users: list[int | str]
    items: list[TogetherItem]
    model_version: str
    profile: str
    degraded: bool
    fallbacks: list[Fallback]
    notes: list[str]


class TogetherItem(Document):
    """A film for several viewers.

    Attributes:
        score: Mean preference of the viewers, in 0..1.
        reason: Now one of `popular`, `popular_in_genre`, `popular_in_your_genres`,
            `similar_to_viewed`, `because_you_liked`, `liked_by_similar_viewers`,
            `predicted_for_you`, `new`, `on_your_watchlist`, `promoted`.
        mean_rating: Mean of the viewers' ratings.
        least_rating: The lowest of them.
        ratings: Of each viewer, in their order.
    """

    movie_id: int | str
    title: str | None
    year: int | None
    genres: list[str]
    runtime: int | None = None
    language: str | None = None
    certificate: str | None = None
    poster_url: str | None = None
    score: float
    reason: str
    promoted: bool
    mean_rating: float | None
    least_rating: float | None
    ratings: list[ExpectedRating]


class Token(Document):
    """A token for one viewer.

    Attributes:
        token: Send it as `Authorization: Bearer …`.
    """

    token: str
    user_id: int | str
    expires_at: datetime


class User(Document):
    """Fields of User.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
        route: Now one of `popular`, `similar`, `hybrid`, `user-cluster`, `neural`.
        profile: Now one of `known`, `unavailable`.
    """

    degraded: bool
    user_id: int | str
    ratings: int
    positive: int
    viewed: int
    dismissed: int
    watchlist: int
    route: str
    reason: str
    cluster: int | None
    segment: int | None
    model_version: str | None
    profile: str
    fresh: bool


class Watchlist(Document):
    """Fields of Watchlist.

    Attributes:
        degraded: Whether something that the answer comes from is away: it may be behind.
        profile: Now one of `known`, `unavailable`.
    """

    degraded: bool
    items: list[Listed]
    next_cursor: str | None
    profile: str
    fresh: bool
