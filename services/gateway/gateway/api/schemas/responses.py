"""Models of responses, for the OpenAPI document alone: responses are built as plain data."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from marquee.domain.ids import Id
from marquee.domain.movie_fields import Certificate, Language, MovieLinks, Runtime
from marquee.domain.recommendation import Reason, Route

_NEXT_CURSOR = Field(
    description="Give it as `cursor`, with the same filters, for the next page; null where no"
    " further film can be shown, or 500 have been."
)
_FILTER_NOTES = "What is to be said of filters that leave no film; mostly nothing."


class GroundDocument(BaseModel):
    movie_id: Id
    title: str | None
    weight: float = Field(description="Its share of the score.")


class DegradableDocument(BaseModel):
    degraded: bool = Field(
        description="Whether something that the answer comes from is away: it may be behind."
    )


class MovieSummaryDocument(BaseModel):
    """A film; optional fields are left out where they are not known."""

    movie_id: Id
    title: str | None
    year: int | None
    genres: list[str]
    runtime: Runtime | None = None
    language: Language | None = None
    certificate: Certificate | None = None
    poster_url: str | None = None


class MovieDocument(MovieSummaryDocument, DegradableDocument):
    overview: str | None = None
    links: MovieLinks | None = None
    people: list[str] | None = None
    keywords: list[str] | None = None
    moods: list[str] | None = None
    tags: dict[str, float] = Field(description="Tag → relevance in 0..1, most relevant first.")
    ratings: int
    positive: int = Field(description="Ratings above 3.5 stars.")
    mean_rating: float | None = Field(description="Mean in stars, drawn to the mean of all.")


class RecommendationDocument(MovieSummaryDocument):
    score: float
    reason: Reason
    because: list[GroundDocument] = Field(description="The films that it rests on.")
    promoted: bool


class EvidenceDocument(BaseModel):
    ratings: int
    positive: int
    viewed: int
    unknown: int = Field(
        description="Films rated or viewed that are not in the catalogue: they do not count."
    )


class FallbackDocument(BaseModel):
    route: Route
    why: str


class RecommendationsDocument(BaseModel):
    """A list, and how it came to be."""

    recommendation_id: str
    user_id: Id | None
    route: Route = Field(description="The route that gave the list (the first film of it).")
    reason: str = Field(
        description="What is known of the viewer, and the rule that chose the route.",
        examples=["6 ratings, 2 positive: fewer than 3 positive ratings"],
    )
    route_reason: str = Field(description="The same as `reason`.")
    evidence: EvidenceDocument
    profile: Literal["known", "unavailable"]
    degraded: bool = Field(
        description="Whether a route down the chain had to help out, or the store is away."
    )
    fallbacks: list[FallbackDocument] = Field(description="Routes that did not fill the list.")
    model_version: str
    fresh: bool = Field(description="Whether the write of `after` is part of the answer.")
    items: list[RecommendationDocument]
    next_cursor: str | None = _NEXT_CURSOR
    notes: list[str] = Field(description="What of the request was not used, and why.")
    explain: dict[str, Any] | None = None


class ReceiptDocument(BaseModel):
    """A write that the log has."""

    event_id: str
    token: str = Field(description="Give it as `after` to a read that must follow this write.")
    accepted_at: datetime


class AddedMovieDocument(ReceiptDocument):
    movie_id: Id


class UserDocument(DegradableDocument):
    user_id: Id
    ratings: int
    positive: int
    viewed: int
    dismissed: int
    watchlist: int
    route: Route
    reason: str
    cluster: int | None
    segment: int | None
    model_version: str | None
    profile: Literal["known", "unavailable"]
    fresh: bool


class RatedDocument(MovieSummaryDocument):
    rating: float


class RatingsDocument(DegradableDocument):
    items: list[RatedDocument]
    next_cursor: str | None
    profile: Literal["known", "unavailable"]
    fresh: bool


class ListedDocument(MovieSummaryDocument):
    seen: bool = Field(description="Whether the viewer has rated or viewed it.")


class WatchlistDocument(DegradableDocument):
    items: list[ListedDocument]
    next_cursor: str | None
    profile: Literal["known", "unavailable"]
    fresh: bool


class ExportedRatingDocument(RatedDocument):
    rated_at: datetime | None = Field(description="Null where the time is not known.")


class ExportDocument(BaseModel):
    """All that is known of a viewer, the newest first in each list."""

    user: UserDocument
    ratings: list[ExportedRatingDocument]
    viewed: list[MovieSummaryDocument]
    dismissed: list[MovieSummaryDocument]
    watchlist: list[MovieSummaryDocument]


class PredictionDocument(BaseModel):
    movie_id: Id
    rating: float | None = Field(description="Stars; null for a film that nobody knows.")
    confidence: float = Field(
        description="Probability that the rating is at most half a star off, by how many ratings "
        "the viewer gave and the film got; 0 where the rating is not the network's but a mean."
    )


class PredictionsDocument(BaseModel):
    items: list[PredictionDocument]
    model_version: str
    degraded: bool
    fallbacks: list[FallbackDocument]
    notes: list[str] = Field(description="What of the request was not used, and why.")


class MoviesDocument(DegradableDocument):
    items: list[MovieSummaryDocument]
    next_cursor: str | None


class SimilarDocument(BaseModel):
    movie_id: Id
    model_version: str
    degraded: bool = Field(
        description="Whether popular films fill the list up, or the store is away."
    )
    fallbacks: list[FallbackDocument]
    items: list[RecommendationDocument]
    next_cursor: str | None = _NEXT_CURSOR
    notes: list[str] = Field(description=_FILTER_NOTES)


class GenreDocument(BaseModel):
    name: str
    films: int


class GenresDocument(DegradableDocument):
    items: list[GenreDocument]


class RulesDocument(BaseModel):
    items: list[dict[str, Any]]
    next_cursor: str | None


class FieldDocument(BaseModel):
    field: str
    detail: str
    allowed: list[Any] | None = None


class EventOutcomeDocument(BaseModel):
    index: int
    id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    detail: str | None = None
    errors: list[FieldDocument] | None = Field(None, description="Each field that is wrong.")


class EventsDocument(BaseModel):
    accepted: int
    duplicates: int
    rejected: int
    token: str | None
    items: list[EventOutcomeDocument]


class SegmentDocument(BaseModel):
    """Films that are alike, or viewers whose likes are."""

    id: int
    name: str
    named: bool = Field(description="Whether an operator gave the name.")
    kept: bool = Field(description="Whether the next trainings make it again.")
    size: int = Field(description="Films, or viewers at the training; 5 viewers at least.")
    genres: dict[str, float] = Field(description="Share of its films or likes in each genre.")
    apart: dict[str, list[str]] = Field(description="What is more frequent in it than elsewhere.")
    typical: list[MovieSummaryDocument]


class SegmentsDocument(BaseModel):
    kind: Literal["movies", "users"]
    model_version: str
    wanted: int | None = Field(description="The number that the next training makes; null: any.")
    choice: dict[str, Any] = Field(description="How their number was chosen: votes and curves.")
    items: list[SegmentDocument]


class SegmentListDocument(DegradableDocument):
    kind: Literal["movies", "users"]
    segment: int
    model_version: str
    items: list[RecommendationDocument]
    next_cursor: str | None = _NEXT_CURSOR
    notes: list[str] = Field(description=_FILTER_NOTES)


class SegmentsWishDocument(BaseModel):
    kind: Literal["movies", "users"]
    k: int | None


class TokenDocument(BaseModel):
    """A token for one viewer."""

    token: str = Field(description="Send it as `Authorization: Bearer …`.")
    user_id: Id
    expires_at: datetime
