"""Models of the responses for several viewers, for the OpenAPI document alone."""

from typing import Literal

from pydantic import BaseModel, Field

from gateway.api.schemas.responses import (
    FallbackDocument,
    MovieSummaryDocument,
    RecommendationsDocument,
)
from marquee.domain.ids import Id
from marquee.domain.recommendation import Reason


class OwnProblemDocument(BaseModel):
    """Why one viewer of a batch has no list."""

    type: str
    status: int
    code: str
    detail: str


class BatchItemDocument(BaseModel):
    """A viewer's list, or why there is none."""

    user_id: str | int | None = Field(
        description="The viewer, as the request names them; null where that is no name."
    )
    list: RecommendationsDocument | None
    problem: OwnProblemDocument | None


class BatchDocument(BaseModel):
    """Lists of many viewers, in the order of the request."""

    lists: int
    problems: int
    items: list[BatchItemDocument]


class ExpectedRatingDocument(BaseModel):
    """The rating that a viewer is expected to give, or has given."""

    user_id: Id
    rating: float | None
    confidence: float = Field(description="As of `POST /v1/predictions`; 1 for a given rating.")
    rated: bool = Field(description="Whether the viewer has given it.")


class TogetherItemDocument(MovieSummaryDocument):
    """A film for several viewers."""

    score: float = Field(description="Mean preference of the viewers, in 0..1.")
    reason: Reason
    promoted: bool
    mean_rating: float | None = Field(description="Mean of the viewers' ratings.")
    least_rating: float | None = Field(description="The lowest of them.")
    ratings: list[ExpectedRatingDocument] = Field(description="Of each viewer, in their order.")


class TogetherDocument(BaseModel):
    """A list for several viewers."""

    users: list[Id]
    items: list[TogetherItemDocument]
    model_version: str
    profile: Literal["known", "unavailable"]
    degraded: bool
    fallbacks: list[FallbackDocument]
    notes: list[str] = Field(description="What is to be said of the list, if anything.")
