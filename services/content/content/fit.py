"""Fit of the content model: movie vectors, reduced space, blend, cold start."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import Field

from content.model import Content
from marquee.arrays import Ints, Mask, Matrix
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn
from marquee.features.movie_table import MovieTable
from marquee.features.pipeline import Pipeline
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.scorers.likeness import NearFloors
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blended_model import BlendedModelConfig, BlendedModelFit, fit_blended_model
from marquee.training.pipeline import fit_pipeline
from marquee.training.scorers.likeness import FittedLikeness, LikenessConfig, fit_likeness
from marquee.training.scorers.preference import PREFERENCE_WEIGHTS

DEFAULT_WEIGHTS = {
    **PREFERENCE_WEIGHTS,
    "popularity": 0.2,
    "content": 0.5,
    "nearest": 3.0,
    "cluster": 0.1,
    TREND: 0.2,
}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
MIN_WEIGHTS = {
    "popularity": 0.05,
    "preference": 0.0,
    "few_ratings": 0.0,
    "content": 0.1,
    "nearest": 1.0,
    "cluster": 0.05,
    TREND: 0.0,
}
"""Lower bounds of learned weights: lists rest on likeness, and popular movies fill them up."""


class ContentConfig(BlendedModelConfig):
    """Sizes and strengths of the content model; `without` leaves out signals."""

    signals: ClassVar[tuple[str, ...]] = tuple(DEFAULT_WEIGHTS)

    likeness: LikenessConfig = LikenessConfig()
    dimensions: int = Field(80, ge=1)
    sizes: tuple[int, ...] = (1, 2, 3, 5)


def fit(dataset: Dataset, config: ContentConfig, seed: int) -> Content:
    """Return the model of a data set; see `fit_blended_model`."""
    return fit_blended_model(ContentFit, dataset, config, seed)


class ContentFit(BlendedModelFit[ContentConfig, Content]):
    """The parts of a content model: its space is one of movie vectors alone."""

    default_weights = DEFAULT_WEIGHTS
    weights_in_time = DEFAULT_WEIGHTS
    min_weights = MIN_WEIGHTS
    knows_ratings = False

    def fit_space(self) -> Pipeline:
        """Return scaler → PCA → k-means of the movie vectors."""
        config, vectors, matrix = self.config, self.movie_vectors, self.matrix
        if not len(matrix):
            matrix = np.zeros((1, vectors.d), np.float32)
        weights, floor = vectors.column_weights(1.0), vectors.variance_floor(matrix)
        pipeline, _ = fit_pipeline(
            matrix, weights, config.dimensions, config.clusters, self.seed, floor
        )
        return pipeline

    def learn_columns(self) -> Matrix:
        """Return the rows of the preference scorers."""
        return self.preference.rows()

    @cached_property
    def likeness(self) -> FittedLikeness:
        """The fitted likeness of all movies."""
        return fit_likeness(
            self.movies, self.movie_vectors, self.matrix, self.rows, self.config.likeness, self.seed
        )

    def table(self, model: Content, cold: Mask) -> MovieTable:
        """Return the table of all movies, with cold rows where `cold` holds."""
        base = super().table(model, cold)
        likeness = self.likeness.rows(cold)
        floors = NearFloors(self.likeness.likeness, likeness).of(likeness)
        vectors = np.hstack([base.vectors, likeness, floors[:, None]])
        return MovieTable.of(self.movies, vectors, base.clusters)

    def assemble(
        self, cold_start: ColdStartModel, weights: EvidenceWeights, base: MovieTable
    ) -> Content:
        """Return the model of these parts."""
        return Content(
            movie_vectors=self.movie_vectors,
            pipeline=self.pipeline,
            likeness=self.likeness.likeness,
            preference=self.preference,
            cold_start=cold_start,
            weights=weights,
            base=base,
            base_sums=self.sums,
        )

    def history(self, fold_in: FoldIn) -> Ints:
        """Return the rows of the movies seen."""
        return fold_in.inputs
