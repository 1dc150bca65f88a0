"""The models under test: fitted on training users, saved, loaded and asked as by the services."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.domain.models import MODEL_BY_ROUTE, MODEL_SPECS
from marquee.domain.recommendation import Scored, UserHistory
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity
from marquee.scoring.diversity import diversify, pool_size
from trainer.evaluation.metrics import DEPTH, LIST_SIZE, Measurement, measure
from trainer.evaluation.slices import CasesBySlice, EvaluationCase, route_of
from trainer.evaluation.splits import Split
from trainer.models.fits import FITS, Fit
from trainer.models.parameters import TrainingParameters

Fits = Mapping[str, Callable[[], Fit]]

DIVERSITIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0)
"""Settings of diversity that the trade-off is measured at."""


def key_at(slice_name: str, diversity: float) -> str:
    """Return the name under which the outcome of a slice at a setting of diversity is kept."""
    return f"{slice_name} at diversity {diversity:g}" if diversity else slice_name


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A loaded model, the movie ids of its data set by row, and the popularity at the training."""

    model: Any
    movie_ids: Ints
    popularity: Popularity | None

    def list_for(self, case: EvaluationCase, among: npt.NDArray[np.bool_] | None = None) -> Ints:
        """Return the rows that a service would answer, best first; `among`: the candidates."""
        return self._rows(self._scored(case, among))

    def lists_for(self, case: EvaluationCase, diversities: Sequence[float]) -> list[Ints]:
        """Return the rows that a service would answer at each setting of diversity."""
        scored = self._scored(case, k=pool_size(LIST_SIZE, max(diversities)))
        return [
            self._rows(diversify(scored, self.movies, setting, LIST_SIZE))
            for setting in diversities
        ]

    def _scored(
        self, case: EvaluationCase, among: npt.NDArray[np.bool_] | None = None, k: int = DEPTH
    ) -> list[Scored]:
        movies = self.movies
        mask = movies.alive.copy() if among is None else among.copy()
        mask[movies.indexes(self.movie_ids[case.movies].tolist())] = False
        live = {} if self.popularity is None else {"popularity": self.popularity}
        found: list[Scored] = self.model.recommend(self._user(case), movies, mask, k, **live)
        return found

    def _rows(self, scored: Sequence[Scored]) -> Ints:
        found = np.array([item.movie_id for item in scored], np.int64)
        return np.searchsorted(self.movie_ids, found)

    @cached_property
    def movies(self) -> MovieTable:
        """The table that a service would have."""
        movies: MovieTable = self.model.movies()
        return movies

    def _user(self, case: EvaluationCase) -> UserHistory:
        movie_ids = self.movie_ids[case.movies].tolist()
        if case.viewed:
            return UserHistory.of(viewed=movie_ids)
        return UserHistory.of(list(zip(movie_ids, (case.half_stars / 2).tolist(), strict=True)))


def measure_model(
    name: str,
    split: Split,
    cases: CasesBySlice,
    thresholds: Thresholds,
    parameters: TrainingParameters,
    fits: Fits = FITS,
    diversities: Sequence[float] = (),
) -> dict[str, Measurement]:
    """Return how a model does on those cases of each slice that are routed to it.

    For each of `diversities` besides, under `key_at`, how lists of ten do at that setting.
    """
    own = {key: cases_routed_to(name, chosen, thresholds) for key, chosen in cases.items()}
    asked = fit_served_model(name, split.train, parameters, fits) if any(own.values()) else None
    found = {}
    for key, chosen in own.items():
        lists = [] if asked is None else [asked.list_for(case) for case in chosen]
        found[key] = measure(chosen, lists)
        if not diversities:
            continue
        every = [] if asked is None else [asked.lists_for(case, diversities) for case in chosen]
        for i, setting in enumerate(diversities):
            found[key_at(key, setting)] = measure(chosen, [lists[i] for lists in every])
    return found


def cases_routed_to(
    name: str, cases: Sequence[EvaluationCase], thresholds: Thresholds
) -> list[EvaluationCase]:
    """Return the cases that a model answers."""
    return [case for case in cases if MODEL_BY_ROUTE[route_of(case, thresholds)] == name]


def fit_served_model(
    name: str, train: Dataset, parameters: TrainingParameters, fits: Fits = FITS
) -> ServedModel:
    """Return a model of a data set as a service would load it."""
    fit = fits[name]()
    config = parameters.config(name, fit.config)
    if MODEL_SPECS[name].has_segments:  # no list depends on them
        config = config.model_copy(update={"segments": None})
    model = fit.fit(train, config, parameters.seed)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        loaded = type(model).load(Path(folder))  # type: ignore[attr-defined]
    movie_ids = np.array([movie.movie_id for movie in train.movies], np.int64)
    if not MODEL_SPECS[name].takes_popularity:
        return ServedModel(loaded, movie_ids, None)
    return ServedModel(loaded, movie_ids, Popularity(RatingRows.of(train).sums(len(train.movies))))
