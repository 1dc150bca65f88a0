"""Internal routes of segments: their list, the movies that suit one, and the one of a user."""

from typing import Any, Literal, cast, get_args
from weakref import WeakKeyDictionary

import numpy as np
from fastapi import Request
from pydantic import BaseModel, ConfigDict

from marquee.domain.likes import is_like
from marquee.domain.ratings import RatedMovies, Stars
from marquee.domain.recommendation import MoviesRequest, Number, Reason, Scored, UserHistory
from marquee.errors import NotFound
from marquee.scoring.candidates import filter_mask
from marquee.scoring.top_k import top
from marquee.serving.app import body, movies_request, recommend_answer
from marquee.serving.replica import ModelReplica, ServingState
from user_model.model import UserModel
from user_model.segments.model import Segments

_PSEUDO_USERS = 10.0
"""Users with average likes that count beside those of a segment."""

SegmentKind = Literal["movies", "users"]


class SegmentRequest(BaseModel):
    """The ratings of a user; they travel in the request, so that any replica can answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratings: tuple[tuple[Number, Stars], ...] = ()
    films: MoviesRequest | None = None
    """The movies for the segment that are wanted too; None: none."""


async def user(replica: ModelReplica[UserModel], request: Request) -> dict[str, Any]:
    """Answer a user's derived row with their segment.

    Where nothing has changed since the training there is no derived cluster: it is computed.
    """
    user_id = int(request.path_params["user_id"])
    answer, facts = await replica.user(user_id), await replica.facts(user_id)
    model, rated = replica.serving.model, RatedMovies.of(facts)
    if answer["cluster"] is None and len(rated.movie_ids):
        answer["cluster"] = model.encode(rated)[1]
    return answer | {"segment": model.segment(rated)}


async def segment_of(replica: ModelReplica[UserModel], request: Request) -> dict[str, Any]:
    """Answer the segment of a user with these ratings, and movies for it where they are wanted."""
    history: SegmentRequest = await body(request, SegmentRequest)
    serving = replica.serving
    segment = serving.model.segment(UserHistory.of(history.ratings).rated)
    if history.films is None:
        return {"segment": segment}
    items = [] if segment is None else _liked_by(serving, segment, history.films)
    answer = recommend_answer(items, serving.model.version, replica.positions, True)
    return answer | {"segment": segment}


async def listed(replica: ModelReplica[UserModel], request: Request) -> dict[str, Any]:
    """Answer the segments of a kind, and how their number was chosen."""
    serving, kind = replica.serving, _kind(request)
    segments = _segments(serving)
    items = segments.described(kind)
    if kind == "movies":
        sizes = np.bincount(movie_segments(serving)[serving.movies.alive], minlength=len(items) + 1)
        items = [segment | {"size": int(sizes[segment["id"]])} for segment in items]
    about = {key: value for key, value in segments.about[kind].items() if key != "segments"}
    return {"items": items, "model_version": serving.model.version, **about}


async def recommended(replica: ModelReplica[UserModel], request: Request) -> dict[str, Any]:
    """Answer the most popular movies of a segment of movies, or the best liked of one of users.

    Only those within the request's filter.
    """
    serving, kind = replica.serving, _kind(request)
    segment, segments = int(request.path_params["segment"]), _segments(serving)
    if all(item["id"] != segment for item in segments.described(kind)):
        raise NotFound(f"there is no segment {segment} of {kind}")
    answer = _popular_in if kind == "movies" else _liked_by
    items = answer(serving, segment, await movies_request(request))
    return recommend_answer(items, serving.model.version, replica.positions, True)


def movie_segments(serving: ServingState[UserModel]) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return the segment of each movie by its current genres and ratings."""
    segments = _segments(serving).movies
    genres = serving.movies.genre_matrix(segments.genres)
    return segments.assign(genres, serving.popularity.now().sums)


def _popular_in(
    serving: ServingState[UserModel], segment: int, query: MoviesRequest
) -> list[Scored]:
    movies, popularity = serving.movies, serving.popularity.now()
    mask = filter_mask(query, movies) & (movie_segments(serving) == segment)
    rows = popularity.order(movies.movie_ids, mask, query.k)
    return _scored(serving, rows, popularity.popularity, Reason.POPULAR)


def _liked_by(serving: ServingState[UserModel], segment: int, query: MoviesRequest) -> list[Scored]:
    movies = serving.movies
    rates = np.zeros(len(movies))
    rates[: len(serving.model.base)] = liked_in(serving.model, segment)
    rows = top(rates, filter_mask(query, movies) & (rates > 0), query.k)
    return _scored(serving, rows, rates, Reason.LIKED_BY_SIMILAR_VIEWERS)


def liked_in(model: UserModel, segment: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return how much the users of a segment like each base movie, n.

    The share of them who do, damped by the share of all users, times the log of 1 + its lift.
    """
    of_model = _LIKED_IN.setdefault(model, {})
    if segment not in of_model:
        of_model[segment] = _computed_likes(model, segment)
    return of_model[segment]


_LIKED_IN: WeakKeyDictionary[UserModel, dict[int, np.ndarray[Any, np.dtype[np.float64]]]] = (
    WeakKeyDictionary()
)
"""What `liked_in` has computed: it reads all ratings of the training, and never changes."""


def _computed_likes(model: UserModel, segment: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    assert model.segments is not None
    training, n = model.training, len(model.base)
    liked = is_like(training.half_stars)
    owners = np.repeat(np.arange(len(model.codes)), np.diff(training.starts))
    inside = model.segments.of_users == segment
    everywhere = np.bincount(training.movies[liked], minlength=n) / max(1, len(inside))
    here = np.bincount(training.movies[liked & inside[owners]], minlength=n)
    share = (here + _PSEUDO_USERS * everywhere) / (inside.sum() + _PSEUDO_USERS)
    return np.asarray(share * np.log1p(share / np.maximum(everywhere, 1e-9)))


def _scored(
    serving: ServingState[UserModel], rows: Any, scores: Any, reason: Reason
) -> list[Scored]:
    ids = serving.movies.movie_ids
    return [Scored(int(ids[row]), float(scores[row]), reason) for row in rows]


def _segments(serving: ServingState[UserModel]) -> Segments:
    segments = serving.model.segments
    if segments is None:
        raise NotFound("the serving version was trained without segments")
    return segments


def _kind(request: Request) -> SegmentKind:
    kind = request.path_params["kind"]
    if kind not in get_args(SegmentKind):
        raise NotFound(f"there are no segments of {kind}, only of movies and of users")
    return cast(SegmentKind, kind)
