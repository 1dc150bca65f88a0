"""How well unrated films are recommended: a tenth of the films is kept from the training."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from marquee.dataset import Dataset, position_in
from marquee.metrics import ndcg_at_k
from marquee.mix import standardise
from marquee.movie_vector import MovieVectors
from marquee.pipeline import unit
from marquee.rating_rows import RatingRows
from marquee.recommender import Route, top
from marquee.ridge import fit_ridge
from trainer.parameters import Parameters
from trainer.report import OURS, ColdFilms
from trainer.served import MODELS, fitted
from trainer.slices import Case, Slice, draw_slice
from trainer.splits import SEED, split_by_user

Bools = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating]

SLICES = (
    Slice("cold, viewed", Route.SIMILAR, given=3, viewed=True),
    Slice("cold, rated", Route.HYBRID, given=3),
)


def evaluate_cold_films(dataset: Dataset, parameters: Parameters) -> tuple[ColdFilms, ...]:
    """Return how lists of cold films do for the users of one fold, of each three films known."""
    cold = np.random.default_rng(SEED).random(len(dataset.films)) < 0.1
    split = split_by_user(dataset, 0)
    train = split.train.of_rows(~cold[_rows_of(split.train)])
    contents = _Contents(train)
    found = []
    for one in SLICES:
        cases = [kept for case in _cases(split.test, one) if (kept := _cold_case(case, cold))]
        asked = fitted(MODELS[one.route], train, parameters)
        rankings: dict[str, Callable[[Case], Sequence[int]]] = {
            name: lambda case, name=name: top(  # type: ignore[misc]
                contents.scores(name, case, cold), cold, 10
            ).tolist()
            for name in contents.names
        }
        rankings[OURS] = lambda case, asked=asked: asked.list_for(case, cold)[:10].tolist()  # type: ignore[misc]
        found += [_judged(str(one.route), name, rank, cases) for name, rank in rankings.items()]
    return tuple(found)


class _Contents:
    """What content alone says: nearness to what was liked, and the popularity that it predicts."""

    names = ("predicted popularity", "content cosine", "cosine + popularity")

    def __init__(self, train: Dataset) -> None:
        sums = RatingRows.of(train).sums(len(train.films))
        vectors = MovieVectors.fit(train.films, sums)
        content = vectors.matrix(train.films, np.zeros_like(sums))[:, vectors.content]
        target = np.log1p(sums[:, 1])[:, None].astype(np.float32)
        ridge = fit_ridge(content, target, 30.0, (sums[:, 0] > 0).astype(np.float64))
        self._popularity: Scores = ridge.apply(content)[:, 0]
        deviation = content.std(axis=0)
        self._codes = unit((content - content.mean(axis=0)) / np.where(deviation > 0, deviation, 1))

    def scores(self, name: str, case: Case, cold: Bools) -> Scores:
        """Return the score of each film."""
        liked = case.liked
        cosine = self._codes @ self._codes[liked].sum(axis=0) if len(liked) else self._popularity
        if name == "content cosine":
            return cosine
        popular = standardise(self._popularity, cold)
        return popular if name == "predicted popularity" else popular + standardise(cosine, cold)


def _cases(test: Dataset, one: Slice) -> list[Case]:
    return draw_slice(RatingRows.of(test), np.unique(test.user_ids), one)


def _cold_case(case: Case, cold: Bools) -> Case | None:
    """Return the case with warm films shown and cold ones wanted; None if either is missing."""
    shown = ~cold[case.films]
    targets = case.targets[cold[case.targets]]
    if not shown.any() or not len(targets):
        return None
    return Case(case.user_id, case.films[shown], case.half_stars[shown], targets, case.viewed)


def _judged(
    route: str, name: str, rank: Callable[[Case], Sequence[int]], cases: Sequence[Case]
) -> ColdFilms:
    lists = [rank(case) for case in cases]
    pairs = [(ranked, case.targets.tolist()) for ranked, case in zip(lists, cases, strict=True)]
    hits = [not set(ranked).isdisjoint(targets) for ranked, targets in pairs]
    gains = [ndcg_at_k(ranked, targets, 10) for ranked, targets in pairs]
    return ColdFilms(
        route=route,
        name=name,
        hit_rate_at_10=float(np.mean(hits)) if hits else 0.0,
        ndcg_at_10=float(np.mean(gains)) if gains else 0.0,
        cases=len(cases),
    )


def _rows_of(dataset: Dataset) -> npt.NDArray[np.int64]:
    known = np.array([film.movie_id for film in dataset.films], np.int64)
    return position_in(known, dataset.movie_ids)[0]
