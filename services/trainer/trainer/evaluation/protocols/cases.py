"""Cases: fold-ins of test users, with what a list should contain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.domain.likes import is_like
from marquee.domain.recommendation import Route
from marquee.domain.routing import Evidence, Thresholds, decide
from marquee.features.dataset import Dataset, position_in
from marquee.features.time_order import in_order
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import SEED, Split
from trainer.report.model import Protocol

_NO_TIMES = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class EvaluationCase:
    """A fold-in of a test user: `movies` (rows, in the order of time) with their `half_stars`.

    `targets` are the rows of the user's other liked movies, which a list should contain; in the
    protocols by time those that were liked later. `times`: seconds since 1970 of the shown ratings,
    as many as `movies`; empty where they are not known. `asked_at`: when a service would have been
    asked, which is the time of the next rating or the newest one shown; 0 where it is not known.
    """

    user_id: int
    movies: Ints
    half_stars: npt.NDArray[np.uint8]
    targets: Ints
    viewed: bool = False
    times: Ints = field(default_factory=lambda: _NO_TIMES)
    asked_at: int = 0

    @property
    def liked(self) -> Ints:
        """Rows of positive feedback: liked movies, or viewed ones where no rating is known."""
        return self.movies if self.viewed else self.movies[is_like(self.half_stars)]


CasesBySlice = Mapping[str, Sequence[EvaluationCase]]


@dataclass(frozen=True, eq=False)
class _History:
    """The ratings of a user in the order of time.

    `places`: the place in that order of each rating in the order of the data set.
    """

    user_id: int
    movies: Ints
    half_stars: npt.NDArray[np.uint8]
    times: Ints
    places: Ints

    def __len__(self) -> int:
        return len(self.movies)

    def case(self, shown: Ints, others: Ints, user_slice: Slice) -> EvaluationCase | None:
        """Return the case of shown ratings; None if there are none, or no liked other."""
        targets = self.movies[others][is_like(self.half_stars[others])]
        if not len(shown) or not len(targets):
            return None
        return EvaluationCase(
            self.user_id,
            self.movies[shown],
            self.half_stars[shown],
            targets,
            user_slice.viewed,
            self.times[shown],
            max(int(self.times[shown].max()), int(self.times[others[0]])),
        )


def route_of(case: EvaluationCase, thresholds: Thresholds) -> Route:
    """Return the route that the gateway's rule chooses for a case."""
    if case.viewed:
        evidence = Evidence(viewed=len(case.movies))
    else:
        evidence = Evidence(len(case.movies), int(is_like(case.half_stars).sum()))
    return decide(evidence, thresholds).route


def draw(split: Split, slices: Sequence[Slice]) -> dict[str, list[EvaluationCase]]:
    """Return the cases of each slice among the tested users of a split."""
    histories = list(_histories(split.test))
    return {user_slice.name: _draw(histories, user_slice, split.cut) for user_slice in slices}


def draw_slice(dataset: Dataset, user_slice: Slice, cut: int | None = None) -> list[EvaluationCase]:
    """Return the cases of a slice among all users of a data set.

    A user whose other ratings hold no liked movie has none. Random fold-ins show the first movies
    of an order that is the same in every slice, so that slices differ by what is shown and not by
    chance.
    """
    return _draw(list(_histories(dataset)), user_slice, cut)


def _draw(
    histories: Sequence[_History], user_slice: Slice, cut: int | None
) -> list[EvaluationCase]:
    cases = []
    for history in histories:
        if len(history) < user_slice.at_least:
            continue
        for shown, others in _parts(history, user_slice, cut):
            if (case := history.case(shown, others, user_slice)) is not None:
                cases.append(case)
    return cases


def _parts(history: _History, user_slice: Slice, cut: int | None) -> Iterator[tuple[Ints, Ints]]:
    """Yield the rows of the shown ratings, in the order of time, and of the others."""
    n = len(history)
    size = user_slice.size(n)
    if user_slice.protocol is Protocol.RANDOM:
        for number in range(user_slice.draws):
            user = history.user_id % 2**64  # a string's number is below 0, a seed must not be
            drawn = np.random.default_rng((SEED, user, number)).permutation(n)
            order = history.places[drawn]
            yield np.sort(order[:size]), order[size:]
        return
    if cut is not None and user_slice.protocol is Protocol.CUT:
        before = int((history.times < cut).sum())
        if (before > 0) != user_slice.of_returning:
            return
        size = before or size
    rows = np.arange(n)
    yield rows[:size], rows[size:]


def _histories(dataset: Dataset) -> Iterator[_History]:
    """Yield the history of each user, by id."""
    order = in_order(dataset)
    movie_ids = np.array([movie.movie_id for movie in dataset.movies], np.int64)
    movies, _ = position_in(movie_ids, dataset.movie_ids[order])
    half_stars, times = dataset.half_stars[order], dataset.times[order]
    user_ids, starts = np.unique(dataset.user_ids[order], return_index=True)
    ends = np.append(starts, len(order))[1:].tolist()
    for user_id, start, end in zip(user_ids.tolist(), starts.tolist(), ends, strict=True):
        own = slice(start, end)
        places = np.argsort(order[own])
        yield _History(user_id, movies[own], half_stars[own], times[own], places)
