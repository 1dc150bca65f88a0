"""What it takes a movie to be among the users whom it suits best, by a model's own lists."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Mask, Matrix, Reals
from marquee.domain.recommendation import Scored, UserHistory
from marquee.features.interactions import RatingRows
from marquee.features.movie_table import MovieTable
from marquee.scoring.diversity import POOL, scaled

LISTS = 1000
"""Lists that marks are learned from; with fewer, broad lists come out less broad."""
_DRAWS = 4
"""Lists a user, where there are few users."""
_SHARE = 0.01
"""Of the users, those whom a movie suits best."""


class Ranking(Protocol):
    """A model that ranks its movies."""

    def movies(self) -> MovieTable: ...

    def recommend(
        self, user: UserHistory, movies: MovieTable, mask: Mask, k: int, /
    ) -> list[Scored]: ...


def with_exposure_thresholds(model: Ranking, users: Sequence[UserHistory]) -> MovieTable:
    """Return the model's table of movies with the marks that its lists for some users give.

    A mark is the score, in the deviations of a list (`diversity.scaled`), that a hundredth of the
    users reach for the movie. For a movie that fewer have among their candidates it is the score
    of the last candidate.
    """
    movies = model.movies()
    with threadpool_limits(1):  # more threads change sums, and so would the marks
        lists = [_candidates(model, user, movies) for user in users]
    return movies.with_marks(_marks([found for found in lists if len(found[0])], len(movies)))


def draw_users(
    rows: RatingRows, movie_ids: Ints, sizes: Sequence[float], seed: int, viewed: bool = False
) -> list[UserHistory]:
    """Return users of whom as much is known as `sizes` say: ratings, or below 1 a share of them.

    At most `LISTS`, from users with enough ratings that one is left; `viewed`: without their stars.
    """
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.flatnonzero(rows.sizes >= 2))
    found = []
    for number in range(min(LISTS, _DRAWS * len(users))):
        movies, half_stars = rows.of_user(int(users[number % len(users)]))
        size = float(generator.choice(sizes))
        n = int(size * len(movies)) if size < 1 else int(size)
        shown = generator.permutation(len(movies))[: min(max(n, 1), len(movies) - 1)]
        ids = movie_ids[movies[shown]].tolist()
        stars = (half_stars[shown] / 2).tolist()
        found.append(
            UserHistory.of(viewed=ids)
            if viewed
            else UserHistory.of(list(zip(ids, stars, strict=True)))
        )
    return found


def _candidates(model: Ranking, user: UserHistory, movies: MovieTable) -> tuple[Ints, Reals]:
    """Return the rows of a user's best movies and their scaled scores."""
    mask = movies.alive.copy()
    mask[movies.indexes((*user.rated.movie_ids.tolist(), *user.viewed.tolist()))] = False
    found = model.recommend(user, movies, mask, POOL)
    return (
        movies.indexes(item.movie_id for item in found),
        scaled(np.array([item.score for item in found])),
    )


def _marks(lists: Sequence[tuple[Ints, Reals]], n_movies: int) -> Matrix:
    if not lists:
        return np.zeros(n_movies, np.float32)
    rows, scores = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    nth = max(1, round(_SHARE * len(lists)))
    order = np.lexsort((-scores, rows))
    first = np.searchsorted(rows[order], np.arange(n_movies))
    marks = np.full(n_movies, np.median([found[-1] for _, found in lists]))
    enough = np.bincount(rows, minlength=n_movies) >= nth
    marks[enough] = scores[order][first[enough] + nth - 1]
    return marks.astype(np.float32)
