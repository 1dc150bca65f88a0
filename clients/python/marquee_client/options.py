"""Options of calls: what each takes by name. The gateway checks their values."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Final, Literal, NotRequired, Required, TypedDict

UserId = int | str
MovieId = int | str
SegmentKind = Literal["movies", "users"]


class LastWrite(Enum):
    """The write that a read follows unless it is told otherwise."""

    LAST_WRITE = "last write"


LAST_WRITE: Final = LastWrite.LAST_WRITE
"""The viewer's last write through this client; the default of `after`."""


class Filters(TypedDict, total=False):
    """Which films a list may have.

    Films of unknown language, certificate or running time do not pass the filter of it.

    Attributes:
        genres: In any of these genres.
        genres_not: In none of these genres.
        year_from: Of this year or later.
        year_to: Of this year or earlier.
        tag: With this tag.
        runtime_max: Of so many minutes at most.
        languages: In any of these languages, by their codes of BCP 47.
        certificates: With any of these certificates.
    """

    genres: Sequence[str]
    genres_not: Sequence[str]
    year_from: int | None
    year_to: int | None
    tag: str | None
    runtime_max: int | None
    languages: Sequence[str]
    certificates: Sequence[str]


class Freshness(TypedDict, total=False):
    """Which write an answer must follow.

    Attributes:
        after: Token of a write; `LAST_WRITE`, the default: that of the viewer's last write
            through this client; None: none.
        wait_ms: Milliseconds to wait for it at most; `fresh` in the answer says whether it came.
    """

    after: str | LastWrite | None
    wait_ms: int | None


class PageOptions(Filters, total=False):
    """A page of a ranked list.

    Attributes:
        k: How many films.
        cursor: `next_cursor` of the page before.
    """

    k: int
    cursor: str | None


class ViewerListOptions(PageOptions, Freshness, total=False):
    """A viewer's list.

    Attributes:
        exclude: Films that must not come.
        watchlist: `only` films of the watchlist, or `exclude` them.
        diversity: 0: the best films; 1: those that suit this viewer more than others.
        explain: Whether to say what rules removed and placed.
    """

    exclude: Sequence[MovieId]
    watchlist: Literal["only", "exclude"] | None
    diversity: float | None
    explain: bool


class FollowOptions(Filters, Freshness, total=False):
    """A viewer's list that is followed; see `ViewerListOptions`."""

    k: int
    exclude: Sequence[MovieId]
    watchlist: Literal["only", "exclude"] | None
    diversity: float | None
    explain: bool


class ShelvesOptions(Filters, Freshness, total=False):
    """Rows of a viewer's page: `rows` at most, of `k` films each; see `ViewerListOptions`."""

    rows: int
    k: int
    exclude: Sequence[MovieId]
    watchlist: Literal["only", "exclude"] | None
    diversity: float | None


class SessionRating(TypedDict):
    """A rating that a session sends along: 0.5 to 5 stars, and when it was given."""

    movie_id: Required[MovieId]
    rating: Required[float]
    at: NotRequired[datetime | str]


class SessionOptions(PageOptions, total=False):
    """A session's list: the films that it has `viewed`, its `ratings`; see `ViewerListOptions`."""

    viewed: Sequence[MovieId]
    ratings: Sequence[SessionRating]
    exclude: Sequence[MovieId]
    diversity: float | None
    explain: bool


class BatchOptions(Filters, total=False):
    """What holds for all lists of a batch; see `ViewerListOptions`."""

    k: int
    exclude: Sequence[MovieId]
    watchlist: Literal["only", "exclude"] | None
    diversity: float | None


class TogetherOptions(Filters, total=False):
    """A list for several viewers.

    Attributes:
        k: How many films.
        exclude: Films that must not come.
        allow_seen: Whether films may come that some of them have seen.
        least_rating: Stars that none of them should be expected to fall below.
        diversity: See `ViewerListOptions`.
    """

    k: int
    exclude: Sequence[MovieId]
    allow_seen: bool
    least_rating: float
    diversity: float | None


class SearchOptions(Filters, total=False):
    """A page of the catalogue: `limit` films from `cursor` on."""

    limit: int
    cursor: str | None


class HistoryOptions(SearchOptions, Freshness, total=False):
    """A page of what a viewer has rated or put on the watchlist."""
