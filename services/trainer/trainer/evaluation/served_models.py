"""Models under test: fitted on training users, saved, loaded and queried as by the services."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from marquee.arrays import Ints, Mask
from marquee.domain.models import CONTENT, MODEL_BY_ROUTE, MODEL_SPECS
from marquee.domain.recommendation import Scored, UserHistory
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from marquee.features.movie_table import MovieTable
from marquee.scoring.diversity import diversify, pool_size
from trainer.evaluation.measurements import DEPTH, KEPT_PLACES, Measurement, measure
from trainer.evaluation.past_popularity import PastPopularity
from trainer.evaluation.protocols.cases import CasesBySlice, EvaluationCase, route_of
from trainer.evaluation.protocols.splits import Split
from trainer.models.fitting import MODEL_FITS, ModelFit
from trainer.models.parameters import TrainingParameters

Fits = Mapping[str, Callable[[], ModelFit]]

DIVERSITIES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1.0)
"""Settings of diversity at which the trade-off is measured."""


def key_at(slice_name: str, diversity: float) -> str:
    """Return the name of a slice at a setting of diversity."""
    return f"{slice_name} at diversity {diversity:g}"


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A loaded model with the movie ids of its data set by row.

    `popularity`: that of the training data when a user was asked, as the services pass it.
    """

    model: Any
    movie_ids: Ints
    popularity: PastPopularity | None

    def list_for(
        self, case: EvaluationCase, candidates: Mask | None = None, diversity: float = 0.0
    ) -> Ints:
        """Return the movie rows that a service would recommend, best first.

        Candidates are all movies by default; those of the case are never in the list.
        """
        return self._rows(self._scored(case, candidates, diversity=diversity))

    def lists_for(self, case: EvaluationCase, diversities: Sequence[float]) -> list[Ints]:
        """Return the movie rows that a service would recommend at each setting of diversity."""
        scored = self._scored(case, k=pool_size(KEPT_PLACES, max(diversities)))
        return [
            self._rows(diversify(scored, self.movies, setting, KEPT_PLACES))
            for setting in diversities
        ]

    def _scored(
        self,
        case: EvaluationCase,
        candidates: Mask | None = None,
        k: int = DEPTH,
        diversity: float = 0.0,
    ) -> list[Scored]:
        movies = self.movies
        mask = movies.alive.copy() if candidates is None else candidates.copy()
        mask[movies.indexes(self.movie_ids[case.movies].tolist())] = False
        more: dict[str, Any] = {}
        if self.popularity is not None:
            more["popularity"] = self.popularity.at(case.asked_at)
        if diversity:
            more["diversity"] = diversity
        scored: list[Scored] = self.model.recommend(self._user(case), movies, mask, k, **more)
        return scored

    def _rows(self, scored: Sequence[Scored]) -> Ints:
        movie_ids = np.array([item.movie_id for item in scored], np.int64)
        return np.searchsorted(self.movie_ids, movie_ids)

    @cached_property
    def movies(self) -> MovieTable:
        """The table that a service would have."""
        movies: MovieTable = self.model.movies()
        return movies

    def _user(self, case: EvaluationCase) -> UserHistory:
        movie_ids = self.movie_ids[case.movies].tolist()
        if case.viewed:
            return UserHistory.of(viewed=movie_ids)
        ratings = list(zip(movie_ids, (case.half_stars / 2).tolist(), strict=True))
        return UserHistory.of(ratings, rated_at=case.times.tolist())


def measure_model(
    name: str,
    split: Split,
    cases: CasesBySlice,
    thresholds: Thresholds,
    parameters: TrainingParameters,
    fits: Fits = MODEL_FITS,
    diversity: float = 0.0,
    diversities: Sequence[float] = (),
) -> dict[str, Measurement]:
    """Return the measurements of a model, by slice, on the cases that are routed to it.

    The model is fitted only if there are such cases. Lists are those at the setting `diversity`;
    those at each of `diversities` are measured too, under `key_at`.
    """
    own = {key: cases_routed_to(name, chosen, thresholds) for key, chosen in cases.items()}
    model = fit_served_model(name, split.train, parameters, fits) if any(own.values()) else None
    measurements = {}
    for key, chosen in own.items():
        lists = []
        if model is not None:
            lists = [model.list_for(case, diversity=diversity) for case in chosen]
        measurements[key] = measure(chosen, lists)
        if not diversities:
            continue
        diverse = [] if model is None else [model.lists_for(case, diversities) for case in chosen]
        for i, setting in enumerate(diversities):
            measurements[key_at(key, setting)] = measure(chosen, [lists[i] for lists in diverse])
    return measurements


def cases_routed_to(
    name: str, cases: Sequence[EvaluationCase], thresholds: Thresholds
) -> list[EvaluationCase]:
    """Return the cases that the gateway would route to a model."""
    return [case for case in cases if MODEL_BY_ROUTE[route_of(case, thresholds)] == name]


def fit_served_model(
    name: str, train: Dataset, parameters: TrainingParameters, fits: Fits = MODEL_FITS
) -> ServedModel:
    """Return a model fitted to a data set, as a service would load it."""
    fit = fits[name]()
    config = parameters.config(name, fit.config)
    if MODEL_SPECS[name].has_segments:  # no list depends on them
        config = config.model_copy(update={"segments": None})
    model = fit.fit(train, config, parameters.seed)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        loaded = type(model).load(Path(folder))  # type: ignore[attr-defined]
    movie_ids = np.array([movie.movie_id for movie in train.movies], np.int64)
    if name != CONTENT.name and loaded.half_life is None:  # as the apps do
        return ServedModel(loaded, movie_ids, None)
    return ServedModel(loaded, movie_ids, PastPopularity.of(train, loaded.half_life))
