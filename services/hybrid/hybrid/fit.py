"""Fit of the hybrid model: ALS factors, reduced space, blend, cold start."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from hybrid.als_fold_in_trust import choose_trust
from hybrid.model import Hybrid, RatedRows
from marquee.arrays import Matrix
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn
from marquee.features.movie_table import MovieTable
from marquee.features.pipeline import Pipeline
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.scorers.preference import FIRST, PreferenceScorers
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blended_model import (
    HIDDEN_SHARE,
    BlendedModelConfig,
    BlendedModelFit,
    fit_blended_model,
)
from marquee.training.cold_start_offset import hide_movies
from marquee.training.pipeline import fit_pipeline
from marquee.training.scorers.preference import PREFERENCE_WEIGHTS
from marquee.training.scorers.user_clusters import fit_rated_clusters

DEFAULT_WEIGHTS = {
    **PREFERENCE_WEIGHTS,
    "popularity": 0.0,
    "space": 1.0,
    "space_other": 0.0,
    "cluster": 0.1,
    "viewers": 0.2,
    TREND: 0.6,
}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
WEIGHTS_IN_TIME = {
    **DEFAULT_WEIGHTS,
    "preference": 0.4,
    FIRST: 0.3,
    "als": 0.9,
    "popularity": 0.25,
    "space_other": -0.2,
    "viewers": 0.5,
}
"""The same for the first ratings of a user in time: popular movies are still to come."""
MIN_WEIGHTS = {
    "popularity": 0.0,
    "preference": 0.0,
    "few_ratings": 0.0,
    "als": 0.1,
    "space": 0.1,
    "cluster": 0.05,
    "viewers": 0.0,
    FIRST: 0.0,
    TREND: 0.0,
}
"""Lower bounds of learned weights: a movie that becomes more popular must not sink for that."""


class HybridConfig(BlendedModelConfig):
    """Sizes and strengths of the hybrid model; `without` leaves out signals."""

    signals: ClassVar[tuple[str, ...]] = tuple(DEFAULT_WEIGHTS)

    content_weight: float = Field(4.0, ge=0)
    """Variance of the movie vector in the reduced space, the factors having 1."""
    dimensions: int = Field(48, ge=1)
    user_clusters: int | None = Field(None, ge=1, le=1000)
    """None: one for 75 users, 2 to 64."""
    new_movie_trust: float = Field(0.3, gt=0)
    """Weight of what content predicts of a new movie against its raters (1: as all users)."""
    new_movie_trusts: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Weights that validation chooses from."""
    sizes: tuple[int, ...] = (1, 2, 3, 4)


def fit(dataset: Dataset, config: HybridConfig, seed: int) -> Hybrid:
    """Return the model of a data set; see `fit_blended_model`."""
    return fit_blended_model(HybridFit, dataset, config, seed)


class HybridFit(BlendedModelFit[HybridConfig, Hybrid]):
    """The parts of a hybrid model: its space is one of ALS factors and movie vectors."""

    default_weights = DEFAULT_WEIGHTS
    weights_in_time = WEIGHTS_IN_TIME
    min_weights = MIN_WEIGHTS
    knows_ratings = True

    def fit_space(self) -> Pipeline:
        """Return scaler → PCA → k-means of [factors, vectors], fitted on rated movies with tags."""
        config, vectors, factors = self.config, self.movie_vectors, self.preference.factors
        f = factors.f
        chosen = vectors.has_tags(self.matrix) & self.rated
        if chosen.sum() < 2:
            chosen = np.ones(len(chosen), bool)
        joined = np.hstack([factors.items, self.matrix])[chosen]
        if not len(joined):
            joined = np.zeros((1, f + vectors.d), np.float32)
        content_weights = vectors.column_weights(config.content_weight)
        weights = np.concatenate([np.full(f, f**-0.5), content_weights])
        floor = np.concatenate([np.zeros(f), vectors.variance_floor(self.matrix[chosen])])
        pipeline, _ = fit_pipeline(
            joined, weights, config.dimensions, config.clusters, self.seed, floor
        )
        return pipeline

    def learn_columns(self) -> Matrix:
        """Return the rows of the preference scorers and the rates of the user clusters."""
        self.user_clusters, rates = fit_rated_clusters(
            self.preference.autoencoder,
            self.rows,
            len(self.movies),
            self.config.user_clusters,
            self.seed,
        )
        learned: Matrix = np.hstack([self.preference.rows(), rates])
        return learned

    def assemble(
        self, cold_start: ColdStartModel, weights: EvidenceWeights, base: MovieTable
    ) -> Hybrid:
        """Return the model of these parts."""
        return Hybrid(
            movie_vectors=self.movie_vectors,
            pipeline=self.pipeline,
            preference=self.preference,
            user_clusters=self.user_clusters,
            cold_start=cold_start,
            weights=weights,
            base=base,
            base_sums=self.sums,
        )

    def history(self, fold_in: FoldIn) -> RatedRows:
        """Return the ratings of a fold-in."""
        return RatedRows(fold_in.inputs, fold_in.half_stars.astype(np.int64), fold_in.times)

    @classmethod
    def tune(
        cls,
        preference: PreferenceScorers,
        config: HybridConfig,
        trial: "BlendedModelFit[HybridConfig, Hybrid] | None",
    ) -> PreferenceScorers:
        """Return the scorers with the trust that finds the raters of hidden movies best."""
        trust = config.new_movie_trust if trial is None else _choose_trust(trial)
        return replace(preference, factors=replace(preference.factors, trust=trust))


def _choose_trust(trial: BlendedModelFit[HybridConfig, Hybrid]) -> float:
    """Return the weight by which hidden movies, a few ratings known, find those who like them."""
    known, cold = hide_movies(trial.rated, HIDDEN_SHARE, trial.seed)
    content = trial.matrix[:, trial.movie_vectors.content]
    factors = trial.preference.factors
    predicted = ColdStartModel(trial.predictions(known)).predict(content)[1][:, : factors.f]
    hidden, trusts = cold & trial.rated, trial.config.new_movie_trusts
    return choose_trust(factors, predicted, hidden, trial.rows, trusts, trial.seed)
