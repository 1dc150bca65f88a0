"""Slices: fold-ins of test users by how much of their history is shown, and what is held out."""

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
    """Cases by the shown part of a user's history: `given` movies, or a `share` of the ratings.

    `viewed`: movies are shown without their ratings. `draws`: fold-ins a user. `route`: the route
    that the gateway takes with that much.
    """

    name: str
    route: Route
    given: int = 0
    share: float = 0.0
    viewed: bool = False
    draws: int = 2
    at_least: int = 2
    """Least number of ratings of the slice's users."""

    def size(self, n: int) -> int:
        """Return how many of n ratings are shown."""
        return int(self.share * n) if self.share else self.given


BY_TIME = Slice("earlier ones", Route.USER_CLUSTER, given=10, draws=1)
"""Slice of the split by time: all earlier ratings are shown, or the first ten if there are none."""

SLICES = (
    Slice("1 viewed", Route.SIMILAR, given=1, viewed=True),
    Slice("3 viewed", Route.SIMILAR, given=3, viewed=True),
    *(Slice(f"{n}", Route.HYBRID, given=n) for n in (1, 2, 3, 4)),
    *(Slice(f"{n}", Route.USER_CLUSTER, given=n) for n in (5, 10, 15)),
    Slice("80 % of 20+", Route.NEURAL, share=0.8, draws=1, at_least=20),
)
_QUICK_NAMES = {"3 viewed", "1", "3", "5", "10", "80 % of 20+"}
QUICK = tuple(user_slice for user_slice in SLICES if user_slice.name in _QUICK_NAMES)

CURVE = tuple(
    Slice(f"{n}", Route.NEURAL, given=n, draws=1, at_least=n + 5) for n in (20, 30, 40, 50)
)
"""Larger histories, to plot quality by number of ratings; compared with popularity alone."""


@dataclass(frozen=True, eq=False)
class EvaluationCase:
    """A fold-in of a test user: `movies` (rows, in the order shown) with their `half_stars`.

    `targets` are the rows of the user's other liked movies, which a list should contain.
    """

    user_id: int
    movies: Ints
    half_stars: npt.NDArray[np.uint8]
    targets: Ints
    viewed: bool = False

    @property
    def liked(self) -> Ints:
        """Rows of positive feedback: liked movies, or viewed ones where no rating is known."""
        return self.movies if self.viewed else self.movies[self.half_stars >= POSITIVE]


CasesBySlice = Mapping[str, Sequence[EvaluationCase]]


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
    rows, user_ids = RatingRows.of(split.test), _users(split)
    return {user_slice.name: draw_slice(rows, user_ids, user_slice) for user_slice in slices}


def draw_slice(rows: RatingRows, user_ids: Ints, user_slice: Slice) -> list[EvaluationCase]:
    """Return the cases of a slice; a user whose other ratings hold no liked movie has none.

    A draw shows the first movies of an order that is the same in every slice, so that slices differ
    by what is shown and not by chance.
    """
    cases = []
    for user, user_id in enumerate(user_ids.tolist()):
        movies, half_stars = rows.of_user(user)
        if len(movies) < user_slice.at_least:
            continue
        for number in range(user_slice.draws):
            order = np.random.default_rng((SEED, user_id, number)).permutation(len(movies))
            size = user_slice.size(len(movies))
            case = _case(user_id, movies[order], half_stars[order], size, user_slice.viewed)
            if case is not None:
                cases.append(case)
    return cases


def _by_time(split: Split, cut: int) -> list[EvaluationCase]:
    rows = RatingRows.of(split.test)
    cases = []
    for user, user_id in enumerate(_users(split).tolist()):
        own = slice(int(rows.starts[user]), int(rows.starts[user + 1]))
        movies, half_stars = rows.of_user(user)
        # A data set is ordered by user, then time.
        earlier = int((split.test.times[own] < cut).sum())
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
