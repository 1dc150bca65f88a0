"""Slices of users by how much is known of them, and the fold-ins on which each is tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.domain.ratings import POSITIVE
from marquee.domain.recommendation import Route
from marquee.domain.routing import Evidence, Thresholds, decide
from marquee.features.interactions import RatingRows
from trainer.evaluation.splits import SEED, Split


@dataclass(frozen=True)
class Slice:
    """How much is shown of a user: `given` movies, or a `share` of his ratings.

    `viewed`: movies without their ratings. `draws`: fold-ins a user. `route`: who should answer.
    """

    name: str
    route: Route
    given: int = 0
    share: float = 0.0
    viewed: bool = False
    draws: int = 2
    at_least: int = 2
    """Ratings that a user of the slice has."""

    def size(self, n: int) -> int:
        """Return how many of n ratings are shown."""
        return int(self.share * n) if self.share else self.given


BY_TIME = Slice("earlier ones", Route.USER_CLUSTER, given=10, draws=1)
"""Of the split by time: all earlier ratings; of a newcomer, who has none, his first ten."""

SLICES = (
    Slice("1 viewed", Route.SIMILAR, given=1, viewed=True),
    Slice("3 viewed", Route.SIMILAR, given=3, viewed=True),
    *(Slice(f"{n}", Route.HYBRID, given=n) for n in (1, 2, 3, 4)),
    *(Slice(f"{n}", Route.USER_CLUSTER, given=n) for n in (5, 10, 15)),
    Slice("80 % of 20+", Route.NEURAL, share=0.8, draws=1, at_least=20),
)
QUICK = tuple(one for one in SLICES if one.name in {"3 viewed", "1", "3", "5", "10", "80 % of 20+"})

CURVE = tuple(
    Slice(f"{n}", Route.NEURAL, given=n, draws=1, at_least=n + 5) for n in (20, 30, 40, 50)
)
"""Beside `SLICES`: how quality goes on with more ratings, against popularity alone."""


@dataclass(frozen=True, eq=False)
class EvaluationCase:
    """A fold-in: `movies` (rows, in the order shown) and `half_stars`; `targets` are the rows of the
    user's other liked movies."""

    user_id: int
    movies: Ints
    half_stars: npt.NDArray[np.uint8]
    targets: Ints
    viewed: bool = False

    @property
    def liked(self) -> Ints:
        """Rows of what speaks for a taste: liked movies, or viewed ones where no rating is known."""
        return self.movies if self.viewed else self.movies[self.half_stars >= POSITIVE]


CasesBySlice = Mapping[str, Sequence[EvaluationCase]]
"""By the name of their slice."""


def route_of(case: EvaluationCase, thresholds: Thresholds) -> Route:
    """Return the route that the gateway's rule chooses for a case."""
    if case.viewed:
        evidence = Evidence(viewed=len(case.movies))
    else:
        evidence = Evidence(len(case.movies), int((case.half_stars >= POSITIVE).sum()))
    return decide(evidence, thresholds).route


def draw(split: Split, slices: Sequence[Slice]) -> dict[str, list[EvaluationCase]]:
    """Return the cases of each slice among the tested users of a split."""
    if split.cut is not None:
        return {BY_TIME.name: _by_time(split, split.cut)}
    return {one.name: draw_slice(RatingRows.of(split.test), _users(split), one) for one in slices}


def draw_slice(rows: RatingRows, user_ids: Ints, one: Slice) -> list[EvaluationCase]:
    """Return the cases of a slice; a user whose other ratings hold no liked movie has none.

    A draw shows the first movies of an order that is the same in every slice, so that slices differ
    by what is shown and not by luck.
    """
    cases = []
    for user, user_id in enumerate(user_ids.tolist()):
        movies, half_stars = rows.of_user(user)
        if len(movies) < one.at_least:
            continue
        for number in range(one.draws):
            order = np.random.default_rng((SEED, user_id, number)).permutation(len(movies))
            size = one.size(len(movies))
            case = _case(user_id, movies[order], half_stars[order], size, one.viewed)
            if case is not None:
                cases.append(case)
    return cases


def _by_time(split: Split, cut: int) -> list[EvaluationCase]:
    rows = RatingRows.of(split.test)
    cases = []
    for user, user_id in enumerate(_users(split).tolist()):
        at = slice(int(rows.starts[user]), int(rows.starts[user + 1]))
        movies, half_stars = rows.of_user(user)
        earlier = int(
            (split.test.times[at] < cut).sum()
        )  # a data set is ordered by user, then time
        case = _case(user_id, movies, half_stars, earlier or BY_TIME.given, False)
        if case is not None:
            cases.append(case)
    return cases


def _users(split: Split) -> Ints:
    return np.unique(split.test.user_ids)


def _case(
    user_id: int, movies: Ints, half_stars: npt.NDArray[np.uint8], size: int, viewed: bool
) -> EvaluationCase | None:
    targets = movies[size:][half_stars[size:] >= POSITIVE]
    if not size or not len(targets):
        return None
    return EvaluationCase(user_id, movies[:size], half_stars[:size], targets, viewed)
