"""Recommendation contracts: between gateway and model services, and of a service's model."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from marquee.domain.packed_ratings import PackedArrays
from marquee.domain.ratings import RatedMovies, Stars

Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""The number of a user's or movie's id; services exchange ids in this form alone."""


class Route(StrEnum):
    """Who answers, from the least known viewer to the best known one."""

    POPULAR = "popular"
    SIMILAR = "similar"
    HYBRID = "hybrid"
    USER_CLUSTER = "user-cluster"
    NEURAL = "neural"


class Reason(StrEnum):
    """Why a film is in an answer: the published codes."""

    POPULAR = "popular"
    POPULAR_IN_GENRE = "popular_in_genre"
    POPULAR_IN_YOUR_GENRES = "popular_in_your_genres"
    SIMILAR_TO_VIEWED = "similar_to_viewed"
    BECAUSE_YOU_LIKED = "because_you_liked"
    LIKED_BY_SIMILAR_VIEWERS = "liked_by_similar_viewers"
    PREDICTED_FOR_YOU = "predicted_for_you"
    NEW = "new"
    ON_YOUR_WATCHLIST = "on_your_watchlist"
    PROMOTED = "promoted"


class Body(BaseModel):
    """Body of an internal call; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CandidateFilter(Body):
    """Filter of the movies of an internal list."""

    exclude: tuple[Number, ...] = ()
    only: tuple[Number, ...] | None = None
    """Allowed movies; None: all are. The gateway sends those here that pass filters by what models
    do not know, such as a tag, or adds those that do not to `exclude`, whichever are fewer."""
    genres: tuple[str, ...] = ()
    genres_not: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None


class MoviesRequest(CandidateFilter):
    """Request of a list that is no user's: the movies like one, or those of a segment."""

    k: Annotated[int, Field(ge=1, le=1000)] = 10


class SimilarRequest(MoviesRequest):
    """Request of several lists at once: the movies like each of a few."""

    movie_ids: Annotated[tuple[Number, ...], Field(min_length=1, max_length=20)]


class RecommendOptions(CandidateFilter):
    """What both forms of a request of a list say, beside the user's facts."""

    route: Route
    user_id: Number | None = None
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of a movie's exposure threshold that its score loses (`marquee.scoring.diversity`)."""
    after: dict[str, int] = {}
    """Positions (`topic:partition` → next offset) that the app's rows must have reached."""
    deadline_ms: Annotated[float, Field(gt=0)] = 1000.0


class RecommendRequest(RecommendOptions):
    """Request of a list; it contains the user's state, so that any replica can answer."""

    ratings: tuple[tuple[Number, Stars], ...] = ()
    rated_at: tuple[int, ...] = ()
    """Times of the ratings in seconds since 1970, 0 where unknown; empty: all are."""
    viewed: tuple[Number, ...] = ()
    dismissed: tuple[Number, ...] = ()

    @property
    def history(self) -> "UserHistory":
        """The user's history."""
        return UserHistory.of(self.ratings, self.viewed, self.rated_at)

    @property
    def seen(self) -> list[int]:
        """Movies that the list must not contain."""
        return [*(movie_id for movie_id, _ in self.ratings), *self.viewed, *self.dismissed]


PACKED_REQUEST: Final = "application/vnd.marquee.recommend"
"""Media type of a request whose facts are packed: a uint32 (little endian), the length of what
follows; the options in JSON; then the facts in their packed form (`marquee.domain.ratings`)."""
_LENGTH = struct.Struct("<I")


class PackedRecommendRequest(RecommendOptions):
    """The same request with the user's facts as they are stored."""

    _facts: PackedArrays = PrivateAttr()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Return the request that a body holds.

        Raises:
            ValueError: It is not of this form, or an option is wrong (pydantic's error).
            StoreUnavailable: The facts have another version.
        """
        try:
            start = _LENGTH.size + _LENGTH.unpack_from(content)[0]
            facts = PackedArrays.of(content[start:])
        except (struct.error, IndexError):
            raise ValueError("the body ends too early") from None
        request = cls.model_validate_json(content[_LENGTH.size : start])
        request._facts = facts
        return request

    @property
    def history(self) -> "UserHistory":
        """The user's history."""
        return UserHistory(self._facts.rated, self._facts.viewed)

    @property
    def seen(self) -> list[int]:
        """Movies that the list must not contain."""
        return self._facts.seen


AnyRecommendRequest = RecommendRequest | PackedRecommendRequest


def packed_request(options: bytes, facts: bytes) -> bytes:
    """Return the body of a `PackedRecommendRequest`.

    Args:
        options: Its `RecommendOptions` in JSON.
        facts: The user's facts in packed form.
    """
    return b"".join((_LENGTH.pack(len(options)), options, facts))


class Because(Body):
    """A movie on which a recommendation is based, with its share of the score."""

    movie_id: Number
    weight: float


class RecommendedItem(Body):
    movie_id: Number
    score: float
    reason: Reason
    because: tuple[Because, ...] = ()


class AppState(Body):
    """What a list was made of, for those who keep it.

    Attributes:
        settled: Whether the app follows its streams, and each entry that it has read took effect.
        lags: Whether the popularity that it used lacks changes of the last half second.
        entries: The last entry of each update stream that it has read, by the key of the stream.
    """

    settled: bool
    lags: bool
    entries: dict[str, str]


class RecommendAnswer(Body):
    items: tuple[RecommendedItem, ...]
    model_version: str
    positions: dict[str, int]
    """Positions of the app's rows (`topic:partition` → next offset)."""
    fresh: bool = True
    """Whether `after` was reached before the deadline."""
    state: AppState | None = None
    """None: from an app of an earlier release."""


class PredictRequest(Body):
    """Ratings of one user, and the movies to predict ratings for."""

    ratings: tuple[tuple[Number, Stars], ...] = ()
    movie_ids: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)]


class Prediction(Body):
    """The expected rating in stars; the probability that it is at most half a star off."""

    movie_id: Number
    rating: float
    confidence: float


class PredictAnswer(Body):
    items: tuple[Prediction, ...]
    model_version: str


class UserFeatures(Body):
    """A user's derived features: cluster, segment, and the model version that gives them."""

    user_id: Number
    cluster: int | None = None
    segment: int | None = None
    model_version: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class UserHistory:
    """A user's history as models see it: rated movies in stars, viewed movies."""

    rated: RatedMovies
    viewed: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(
        cls,
        ratings: Sequence[tuple[int, float]] = (),
        viewed: Sequence[int] = (),
        rated_at: Sequence[int] = (),
    ) -> "UserHistory":
        """Build a history from (movie id, stars) pairs, viewed movie ids, and times of ratings.

        Args:
            ratings: Movie ids with stars, oldest first.
            viewed: Movie ids.
            rated_at: Seconds since 1970 of the ratings, 0 where unknown; empty: all are.
        """
        movie_ids, stars = zip(*ratings, strict=True) if ratings else ((), ())
        times = np.array(rated_at, np.int64) if len(rated_at) == len(ratings) else None
        rated = RatedMovies(np.array(movie_ids, np.int64), np.array(stars, np.float32), times)
        return cls(rated, np.asarray(viewed, np.int64))


@dataclass(frozen=True)
class Scored:
    """A recommended movie: score, reason, and up to three movies it is based on, with weights."""

    movie_id: int
    score: float
    reason: Reason
    because: tuple[tuple[int, float], ...] = ()
