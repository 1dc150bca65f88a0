"""Fit of a `BlendedModel`: features and scorers first, then blend weights and cold-start offset.

Both are chosen on held-out users with a trial model that has not seen them; the final model is then
fitted to all users.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from marquee.arrays import Mask, Matrix, Vector
from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.pipeline import Pipeline
from marquee.scoring.blended_model import BlendedModel
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.evidence_weights import EvidenceWeights, OrderLikelihood
from marquee.scoring.ridge import Ridge
from marquee.scoring.scorers.preference import PreferenceScorers
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blending import BlendConfig
from marquee.training.cold_start import fit_predictions, fit_slopes
from marquee.training.cold_start_offset import OffsetSearch, hide_movies
from marquee.training.evidence_weights import (
    EvidenceDraw,
    LearnedWeights,
    fit_order_likelihood,
    learn_evidence_weights,
)
from marquee.training.exposure_threshold import draw_users, fit_exposure_thresholds
from marquee.training.movie_vectors import fit_movie_vectors
from marquee.training.recent_trend import past_trends, served_trend
from marquee.training.scorers.preference import PreferenceConfig, fit_preference
from marquee.training.validation_cases import most_liked

HIDDEN_SHARE = 0.1
"""Share of the rated movies that are hidden where the cold start is validated."""


class BlendedModelConfig(BlendConfig):
    """Sizes and strengths that both models have; `without` leaves out signals."""

    taste: PreferenceConfig = PreferenceConfig()
    dimensions: int = Field(ge=1)
    """Dimensions of the reduced space."""
    clusters: int = Field(32, ge=1)
    """Clusters of movies."""
    new_movie_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of content → popularity and what users teach."""
    min_movies_per_tag: int = Field(3, ge=1)
    """A tag of fewer movies is not in the vocabulary."""
    sizes: tuple[int, ...]
    """Movies known of a user in the fold-ins of the validation."""
    draws: int = Field(2, ge=1)
    """Fold-ins of each size a user."""
    max_cases: int = Field(1500, ge=0)
    """Fold-ins at most."""
    candidates: int = Field(2000, ge=1)
    """Movies among which the weights of the blend are learned, the most liked ones."""


C = TypeVar("C", bound=BlendedModelConfig)
M = TypeVar("M", bound=BlendedModel[Any])


class BlendedModelFit(ABC, Generic[C, M]):
    """The fitted parts of a model before validation, and their assembly into the model."""

    default_weights: ClassVar[Mapping[str, float]]
    """Weights that are known to be good; validation moves them where that gains beyond noise."""
    weights_in_time: ClassVar[Mapping[str, float]]
    """The same for the first ratings of a user in time."""
    min_weights: ClassVar[Mapping[str, float]]
    """Lower bounds of weights in the search."""
    knows_ratings: ClassVar[bool]
    """Whether the model sees ratings, or only which movies were seen."""

    def __init__(
        self,
        movies: tuple[Movie, ...],
        rows: RatingRows,
        preference: PreferenceScorers,
        config: C,
        seed: int,
    ) -> None:
        self.movies, self.rows, self.preference = movies, rows, preference
        self.config, self.seed = config, seed
        self.sums = rows.sums(len(movies))
        self.rated = self.sums[:, 0] > 0
        self.movie_vectors = fit_movie_vectors(
            movies, self.sums, seed, min_movies=config.min_movies_per_tag
        )
        self.matrix = self.movie_vectors.matrix(movies, self.sums)
        self.pipeline = self.fit_space()
        self.learned = self.learn_columns()

    @abstractmethod
    def fit_space(self) -> Pipeline:
        """Return scaler → PCA → k-means of the reduced space."""

    @abstractmethod
    def learn_columns(self) -> Matrix:
        """Return the columns of the movies' rows that users teach, float32 n × l."""

    @abstractmethod
    def assemble(self, cold_start: ColdStartModel, weights: EvidenceWeights, base: MovieTable) -> M:
        """Return the model of these parts."""

    @abstractmethod
    def history(self, fold_in: FoldIn) -> Any:
        """Return a fold-in as the model's history."""

    @classmethod
    def tune(
        cls,
        preference: PreferenceScorers,
        config: C,  # noqa: ARG003
        trial: "BlendedModelFit[C, M] | None",  # noqa: ARG003
    ) -> PreferenceScorers:
        """Return the scorers of the final model, with what the trial (if any) tells about them."""
        return preference

    def predictions(self, known: Mask) -> Ridge:
        """Return content → (log popularity, learned columns), fitted where `known` holds."""
        content = self.matrix[:, self.movie_vectors.content]
        penalty = self.config.new_movie_penalty
        n_genres = len(self.movie_vectors.genres)
        return fit_predictions(content, n_genres, self.sums[:, 1], self.learned, known, penalty)

    def model(self, weights: EvidenceWeights) -> M:
        """Return the model with these weights; movies that nobody rated get predicted rows."""
        cold_start = fit_slopes(
            ColdStartModel(self.predictions(self.rated)), self.preference, self.rows, self.seed
        )
        n = len(self.movies)
        empty = MovieTable.of(
            self.movies, np.zeros(self.learned.shape, np.float32), np.zeros(n, np.int16)
        )
        model = self.assemble(cold_start, weights, empty)
        return replace(model, base=self.table(model, ~self.rated))

    def table(self, model: M, cold: Mask) -> MovieTable:
        """Return the table of all movies, with cold rows where `cold` holds."""
        vectors, clusters = model.encode(self.matrix, self.learned)
        unrated = [movie for movie, is_cold in zip(self.movies, cold, strict=True) if is_cold]
        sums = np.zeros((len(unrated), 3), np.int64)
        vectors[cold], clusters[cold] = model.encode(model.movie_vectors.matrix(unrated, sums))
        return MovieTable.of(self.movies, vectors, clusters)

    def validate(self, drawn: EvidenceDraw) -> tuple[LearnedWeights, float]:
        """Return the weights that rank held-out likes best, and the cold-start offset for them."""
        config = self.config
        model = self.model(self.initial_weights(OrderLikelihood()))
        movies = model.movies()

        def signals(fold_in: FoldIn) -> dict[str, Vector]:
            return config.used(model.signals(self.history(fold_in), movies))

        candidates = most_liked(self.sums[:, 1], config.candidates)
        is_used = TREND not in config.without
        learned = learn_evidence_weights(
            drawn,
            signals,
            candidates,
            (config.used(self.default_weights), config.used(self.weights_in_time)),
            self.min_weights,
            self.order(),
            past_trends(self.rows, len(self.movies)) if is_used else (),
        )
        model = replace(model, weights=learned.weights)
        return learned, self.cold_offset(model, drawn.fold_ins)

    def order(self) -> OrderLikelihood:
        """Return the likelihood of the order; none where ratings are not seen, but movies alone."""
        return fit_order_likelihood(self.rows, self.seed)

    def initial_weights(self, order: OrderLikelihood) -> EvidenceWeights:
        """Return the weights before validation."""
        used = self.config.used
        return EvidenceWeights(
            {1: used(self.default_weights)}, {1: used(self.weights_in_time)}, order
        )

    def cold_offset(self, model: M, fold_ins: Sequence[FoldIn]) -> float:
        """Return the largest offset that costs little while a tenth of the rated movies is hidden.

        Hidden movies have rows as if nobody had rated them, by predictions learned without them.
        """
        known, cold = hide_movies(self.rated, HIDDEN_SHARE, self.seed)
        cold_start = replace(model.cold_start, prior=self.predictions(known), offset=0.0)
        base_sums = np.where(cold[:, None], 0, model.base_sums)
        model = replace(model.with_cold_start(cold_start), base_sums=base_sums)
        movies = self.table(model, cold)
        search = OffsetSearch(cold)
        for fold_in in fold_ins:
            mask = self.rated.copy()
            mask[fold_in.inputs] = False
            search.add(model.scores(self.history(fold_in), movies), mask, fold_in.held_out)
        return search.largest()


def fit_blended_model(
    kind: type[BlendedModelFit[C, M]], dataset: Dataset, config: C, seed: int
) -> M:
    """Fit a model; users held out by `seed` choose its weights and its cold-start offset.

    Args:
        kind: how the parts of the model are fitted.
        dataset: ratings and movies.
        config: sizes and strengths.
        seed: of all random draws; equal arguments give the same model, bit by bit.
    """
    with threadpool_limits(1):  # more threads change sums, and small systems gain nothing by them
        return _fit(kind, dataset, config, seed)


def _fit(kind: type[BlendedModelFit[C, M]], dataset: Dataset, config: C, seed: int) -> M:
    rows, movies = RatingRows.of(dataset), dataset.movies
    fitted = fit_preference(rows, len(movies), config.taste, seed)
    learned, offset, trial = None, 0.0, None
    if fitted.trial is not None:
        drawn = EvidenceDraw.draw(rows, fitted.held_out_users, config.sizes, config.draws, seed)
        trial = kind(movies, rows.of_users(fitted.train_users), fitted.trial, config, seed)
        learned, offset = trial.validate(drawn.at_most(config.max_cases))
    final = kind(movies, rows, kind.tune(fitted.scorers, config, trial), config, seed)
    if learned is None:
        learned = LearnedWeights(final.initial_weights(final.order()), None)
    model = replace(
        final.model(learned.weights), trend=served_trend(learned.trend, rows, len(movies))
    )
    model = model.with_cold_start(replace(model.cold_start, offset=offset))
    viewed = not kind.knows_ratings
    users = draw_users(rows, model.base.movie_ids, config.sizes, seed, viewed=viewed)
    return replace(model, base=fit_exposure_thresholds(model, users))
