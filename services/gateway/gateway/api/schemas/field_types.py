"""Field types of requests: ids, stars, genres, years and tokens, with their limits."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from gateway.catalogue.tag_index import MIN_RELEVANCE
from marquee.domain.movies import GENRES

MAX_LIST = 1000
"""Entries of any list in a request."""
MAX_ID = 2**63 - 1
HALF_STARS = tuple(n / 2 for n in range(1, 11))


def _stars(value: float) -> float:
    if value not in HALF_STARS:
        raise PydanticCustomError(
            "not_allowed", "must be 0.5 to 5 stars in half stars", {"allowed": list(HALF_STARS)}
        )
    return value


def _genre(name: str) -> str:
    if name not in GENRES:
        raise PydanticCustomError(
            "not_allowed", "unknown genre {name}", {"name": repr(name), "allowed": list(GENRES)}
        )
    return name


UserId = Annotated[int, Field(ge=1, le=MAX_ID, description="A viewer's id.", examples=[42])]
MovieId = Annotated[int, Field(ge=1, le=2**31 - 1, description="A film's id.", examples=[260])]
StrictMovieId = Annotated[MovieId, Field(strict=True)]
Stars = Annotated[
    float,
    Field(strict=True, description="0.5 to 5 stars in half stars.", examples=[4.5]),
    AfterValidator(_stars),
]
Genre = Annotated[str, AfterValidator(_genre)]
Genres = Annotated[
    list[Genre],
    Field(
        max_length=len(GENRES), description="Films in any of these genres.", examples=[["Crime"]]
    ),
]
MovieIds = Annotated[list[StrictMovieId], Field(max_length=MAX_LIST)]
K = Annotated[int, Field(ge=1, le=100, description="How many films.")]
Diversity = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description=(
            "How much of what puts a film into everybody's list does not count. 0: the best films,"
            " as many are shown them; 1: by how much a film suits this viewer more than others."
            " Where it is left out, the setting of the system holds."
        ),
        examples=[0.2],
    ),
]
Year = Annotated[int, Field(ge=1850, le=2200)]
Reason = Annotated[str, Field(max_length=500)]
Actor = Annotated[str, Field(min_length=1, max_length=200, description="Who decided it.")]
RecommendationId = Annotated[
    str, Field(min_length=1, max_length=100, description="The answer that led to it.")
]

After = Annotated[
    str | None, Field(max_length=8192, description="Token of a write that the answer must follow.")
]
WaitMs = Annotated[
    int | None,
    Field(ge=0, le=10_000, description="How long to wait for `after` at most; 1000 by default."),
]
Tagged = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=100,
        description=(
            "Films that carry this tag, in whatever case, with a relevance of"
            f" {MIN_RELEVANCE} or more. Where no film does, the list is empty and `reason` says so."
        ),
        examples=["prison"],
    ),
]
Cursor = Annotated[str | None, Field(max_length=500, description="`next_cursor` of a page.")]
