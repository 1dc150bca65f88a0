"""Fit of exposure thresholds for diversity re-ranking (`marquee.scoring.diversity`).

A movie's threshold is the score that the top 1 % of users reach for it, in the model's own lists
for sampled users.
"""

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Reals, Vector
from marquee.domain.recommendation import UserHistory
from marquee.features.interactions import RatingRows
from marquee.features.movie_table import MovieTable
from marquee.scoring.diversity import POOL, list_z_scores
from marquee.scoring.ranker import Ranker

LISTS = 1000
"""Lists that thresholds are learned from; fewer make lists less diverse."""
_DRAWS = 4
"""Lists a user, where there are few users."""
_SHARE = 0.01
"""Share of the users, those with the highest scores for a movie."""


def fit_exposure_thresholds(model: Ranker, users: Sequence[UserHistory]) -> MovieTable:
    """Return the model's table of movies with thresholds from its lists for some users.

    Scores are in the deviations of a list (`list_z_scores`). A movie that too few users have among
    their candidates gets the median score of a last candidate.
    """
    movies = model.movies()
    with threadpool_limits(1):  # more threads change sums, and so would the thresholds
        lists = [_candidates(model, user, movies) for user in users]
    thresholds = _thresholds([(rows, scores) for rows, scores in lists if len(rows)], len(movies))
    return movies.with_exposure_thresholds(thresholds)


def draw_users(
    rows: RatingRows, movie_ids: Ints, sizes: Sequence[float], seed: int, viewed: bool = False
) -> list[UserHistory]:
    """Return random parts of the histories of at most `LISTS` users.

    Args:
        rows: the users' ratings; users with fewer than two are left out, and one is held out.
        movie_ids: id of each movie row.
        sizes: ratings of a part, drawn from these; below 1, a share of the user's ratings.
        seed: of the draws.
        viewed: whether the parts are movies seen, without their ratings.
    """
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.flatnonzero(rows.sizes >= 2))
    histories = []
    for number in range(min(LISTS, _DRAWS * len(users))):
        movies, half_stars = rows.of_user(int(users[number % len(users)]))
        size = float(generator.choice(sizes))
        n = int(size * len(movies)) if size < 1 else int(size)
        shown = generator.permutation(len(movies))[: min(max(n, 1), len(movies) - 1)]
        ids = movie_ids[movies[shown]].tolist()
        stars = (half_stars[shown] / 2).tolist()
        histories.append(
            UserHistory.of(viewed=ids)
            if viewed
            else UserHistory.of(list(zip(ids, stars, strict=True)))
        )
    return histories


def _candidates(model: Ranker, user: UserHistory, movies: MovieTable) -> tuple[Ints, Reals]:
    """Return the rows of a user's best movies and their z-scores."""
    mask = movies.alive.copy()
    mask[movies.indexes((*user.rated.movie_ids.tolist(), *user.viewed.tolist()))] = False
    items = model.recommend(user, movies, mask, POOL)
    return (
        movies.indexes(item.movie_id for item in items),
        list_z_scores(np.array([item.score for item in items])),
    )


def _thresholds(lists: Sequence[tuple[Ints, Reals]], n_movies: int) -> Vector:
    if not lists:
        return np.zeros(n_movies, np.float32)
    rows, scores = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    nth = max(1, round(_SHARE * len(lists)))
    order = np.lexsort((-scores, rows))
    first = np.searchsorted(rows[order], np.arange(n_movies))
    thresholds = np.full(n_movies, np.median([ranked[-1] for _, ranked in lists]))
    enough = np.bincount(rows, minlength=n_movies) >= nth
    thresholds[enough] = scores[order][first[enough] + nth - 1]
    return thresholds.astype(np.float32)
