"""Models of requests of recommended lists: parameters and bodies, closed against unknown fields."""

from typing import Annotated, Any

from pydantic import Field

from gateway.api.schemas.field_types import (
    After,
    Diversity,
    JsonDiversity,
    JsonK,
    JsonUserId,
    K,
    ListCursor,
    MovieId,
    MovieIds,
    OnWatchlist,
    WaitMs,
)
from gateway.api.schemas.film_filters import FilmFilters, FilterQuery
from marquee.domain.json_values import Flag, Real
from marquee.limits import MAX_LIST


class SessionQuery(FilterQuery):
    """Parameters of a list for somebody of whom nothing is kept."""

    viewed: Annotated[list[MovieId], Field(description="Repeatable; the newest 1,000 count.")] = []
    k: K = 5
    diversity: Diversity = None
    cursor: ListCursor = None
    explain: Annotated[bool, Field(description="Say what the rules removed and placed.")] = False


class ViewerListQuery(FilterQuery):
    """Parameters of what is recommended to a viewer."""

    k: K = 10
    exclude: Annotated[list[MovieId], Field(max_length=MAX_LIST, description="Repeatable.")] = []
    watchlist: OnWatchlist = None
    diversity: Diversity = None
    after: After = None
    wait_ms: WaitMs = None


class ShelvesQuery(ViewerListQuery):
    """Parameters of a viewer's shelves."""

    rows: Annotated[int, Field(ge=1, le=20, description="How many rows at most.")] = 8
    k: Annotated[int, Field(ge=1, le=40, description="How many films a row has at most.")] = 10


class UserQuery(ViewerListQuery):
    """Parameters of a viewer's list."""

    cursor: ListCursor = None
    explain: Annotated[bool, Field(description="Say what the rules removed and placed.")] = False


class ChangesQuery(ViewerListQuery):
    """Parameters of a viewer's list that is followed."""

    explain: Annotated[bool, Field(description="Say what the rules removed and placed.")] = False
    wait: Annotated[
        int | None,
        Field(
            ge=0,
            le=60,
            description="How many seconds an answer in JSON waits for a change, at most; 25 where"
            " it is left out. With it the answer is JSON.",
        ),
    ] = None


class SimilarQuery(FilterQuery):
    """Parameters of the films like another."""

    k: K = 10
    cursor: ListCursor = None


class SegmentQuery(FilterQuery):
    """Parameters of the list for a segment."""

    k: K = 10
    cursor: ListCursor = None


class BatchBody(FilmFilters):
    """Viewers, and what is the same for all of them."""

    users: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=100,
            description="Ids of viewers; one that is none is a problem of its own.",
            examples=[[1, 42]],
        ),
    ]
    k: JsonK = 10
    exclude: MovieIds = []
    watchlist: OnWatchlist = None
    diversity: JsonDiversity = None


class TogetherBody(FilmFilters):
    """Viewers who watch together, and what the films must be like."""

    users: Annotated[
        list[JsonUserId],
        Field(min_length=2, max_length=5, description="Viewers, 2 to 5.", examples=[[1, 42]]),
    ]
    k: JsonK = 10
    exclude: MovieIds = []
    allow_seen: Annotated[
        Flag, Field(description="Whether films may come that some of them have seen.")
    ] = False
    least_rating: Annotated[
        Real,
        Field(ge=0.5, le=5, description="Stars that no viewer should be expected to fall below."),
    ] = 2.5
    diversity: JsonDiversity = None
