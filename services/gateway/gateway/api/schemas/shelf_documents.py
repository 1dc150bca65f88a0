"""Models of the responses of shelves, for the OpenAPI document alone."""

from typing import Literal

from pydantic import BaseModel, Field

from gateway.api.schemas.responses import (
    EvidenceDocument,
    FallbackDocument,
    MovieSummaryDocument,
    RecommendationDocument,
)
from gateway.recommend.shelf_sources import ShelfKind
from marquee.domain.ids import Id
from marquee.domain.recommendation import Route


class ShelfDocument(BaseModel):
    """A row of films."""

    kind: ShelfKind = Field(description="What the row is of: clients translate it.")
    title: str = Field(
        description="The row's title in English.", examples=["Because you liked The Matrix"]
    )
    movie: MovieSummaryDocument | None = Field(
        description="The film that it rests on, of `because_you_liked` and `because_you_viewed`."
    )
    genre: str | None = Field(description="Its genre, of the kind `genre`.")
    segment: int | None = Field(description="The segment of viewers, of the kind `segment`.")
    items: list[RecommendationDocument]


class ShelvesDocument(BaseModel):
    """The rows of a viewer's page, and how they came to be."""

    recommendation_id: str
    user_id: Id | None
    route: Route = Field(description="The route that gave the viewer's own list.")
    reason: str
    route_reason: str
    evidence: EvidenceDocument
    profile: Literal["known", "unavailable"]
    degraded: bool = Field(
        description="Whether a service did not answer, so that rows are missing, or the store is"
        " away."
    )
    fallbacks: list[FallbackDocument]
    model_version: str
    fresh: bool = Field(description="Whether the write of `after` is part of the answer.")
    rows: list[ShelfDocument]
    notes: list[str]
