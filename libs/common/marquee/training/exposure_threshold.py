"""What it takes a film to be among the viewers whom it suits best, by a model's own lists."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from marquee.domain.recommendation import Scored, Viewer
from marquee.features.interactions import Ints, RatingRows
from marquee.features.movie_table import Films
from marquee.scoring.diversity import POOL, scaled

LISTS = 1000
"""Lists that marks are learned from; with fewer, broad lists come out less broad."""
_DRAWS = 4
"""Lists a viewer, where there are few viewers."""
_SHARE = 0.01
"""Of the viewers, those whom a film suits best."""


class Ranking(Protocol):
    """A model that ranks its films."""

    def films(self) -> Films: ...

    def recommend(
        self, viewer: Viewer, films: Films, mask: npt.NDArray[np.bool_], k: int, /
    ) -> list[Scored]: ...


def with_marks(model: Ranking, viewers: Sequence[Viewer]) -> Films:
    """Return the model's table of films with the marks that its lists for some viewers give.

    A mark is the score, in the deviations of a list (`diversity.scaled`), that a hundredth of the
    viewers reach for the film. For a film that fewer have among their candidates it is the score
    of the last candidate.
    """
    films = model.films()
    with threadpool_limits(1):  # more threads change sums, and so would the marks
        lists = [_candidates(model, viewer, films) for viewer in viewers]
    return films.with_marks(_marks([found for found in lists if len(found[0])], len(films)))


def draw_viewers(
    rows: RatingRows, movie_ids: Ints, sizes: Sequence[float], seed: int, viewed: bool = False
) -> list[Viewer]:
    """Return viewers of whom as much is known as `sizes` say: ratings, or below 1 a share of them.

    At most `LISTS`, from users with enough ratings that one is left; `viewed`: without their stars.
    """
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.flatnonzero(rows.sizes >= 2))
    found = []
    for number in range(min(LISTS, _DRAWS * len(users))):
        films, half_stars = rows.of_user(int(users[number % len(users)]))
        size = float(generator.choice(sizes))
        n = int(size * len(films)) if size < 1 else int(size)
        shown = generator.permutation(len(films))[: min(max(n, 1), len(films) - 1)]
        ids = movie_ids[films[shown]].tolist()
        stars = (half_stars[shown] / 2).tolist()
        found.append(
            Viewer.of(viewed=ids) if viewed else Viewer.of(list(zip(ids, stars, strict=True)))
        )
    return found


def _candidates(
    model: Ranking, viewer: Viewer, films: Films
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Return the rows of a viewer's best films and their scaled scores."""
    mask = films.alive.copy()
    mask[films.indexes((*viewer.rated.movie_ids.tolist(), *viewer.viewed.tolist()))] = False
    found = model.recommend(viewer, films, mask, POOL)
    return (
        films.indexes(item.movie_id for item in found),
        scaled(np.array([item.score for item in found])),
    )


def _marks(
    lists: Sequence[tuple[Ints, npt.NDArray[np.float64]]], n_films: int
) -> npt.NDArray[np.float32]:
    if not lists:
        return np.zeros(n_films, np.float32)
    rows, scores = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    nth = max(1, round(_SHARE * len(lists)))
    order = np.lexsort((-scores, rows))
    first = np.searchsorted(rows[order], np.arange(n_films))
    marks = np.full(n_films, np.median([found[-1] for _, found in lists]))
    enough = np.bincount(rows, minlength=n_films) >= nth
    marks[enough] = scores[order][first[enough] + nth - 1]
    return marks.astype(np.float32)
