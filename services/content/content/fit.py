"""Fits the content model: movie vectors, reduced space, mix, predictions for new movies."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from content.model import Content
from marquee.arrays import Mask, Matrix
from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import Pipeline
from marquee.scoring.cold_start import NewMovies
from marquee.scoring.preference import PreferenceScorers
from marquee.scoring.ridge import Ridge
from marquee.training.blending import BlendConfig, BlendWeightSearch, Validation
from marquee.training.cold_start import fit_predictions, fit_slopes
from marquee.training.cold_start_offset import OffsetSearch, hide
from marquee.training.exposure_threshold import draw_users, with_exposure_thresholds
from marquee.training.pipeline import fit_pipeline
from marquee.training.preference import WEIGHTS, PreferenceConfig, fit_preference
from marquee.training.validation_cases import most_liked

PRIOR = {**WEIGHTS, "popularity": 0.0, "content": 0.5, "nearest": 0.5, "cluster": 0.1}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
LEAST = {"popularity": 0.0, "preference": 0.0, "few_ratings": 0.0, "content": 0.1, "cluster": 0.05}
"""Weights that learning keeps: a movie that becomes more popular must not sink for that."""


class ContentConfig(BlendConfig):
    """Sizes and strengths of the parts of the content model; `without` leaves out signals."""

    signals: ClassVar[tuple[str, ...]] = tuple(PRIOR)

    dimensions: int = Field(80, ge=1)
    clusters: int = Field(32, ge=1)
    min_movies_per_tag: int = Field(3, ge=1)
    """A tag of fewer movies is not in the vocabulary."""
    taste: PreferenceConfig = PreferenceConfig()
    new_movie_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of content → popularity and taste."""
    sizes: tuple[int, ...] = (1, 2, 3, 5)
    """Movies viewed in the cases of the validation."""
    draws: int = Field(2, ge=1)
    max_cases: int = Field(1500, ge=0)
    candidates: int = Field(2000, ge=1)
    """Movies among which the weights of the mix are learned, the most liked ones."""


def fit(dataset: Dataset, config: ContentConfig, seed: int) -> Content:
    """Return the model of a data set; users held out by `seed` choose weights and offset."""
    with threadpool_limits(1):  # more threads change sums, and small systems gain nothing by them
        return _fit(dataset, config, seed)


def _fit(dataset: Dataset, config: ContentConfig, seed: int) -> Content:
    rows, movies = RatingRows.of(dataset), dataset.movies
    found = fit_preference(rows, len(movies), config.taste, seed)
    weights, offset = config.used(PRIOR), 0.0
    if found.trial is not None:
        validation = Validation.draw(rows, found.held_out, config.sizes, config.draws, seed)
        trial = _Parts(movies, rows.of_users(found.kept), found.trial, config, seed)
        weights, offset = _validate(trial, validation.at_most(config.max_cases))
    model = _Parts(movies, rows, found.taste, config, seed).model(weights)
    model = model.with_new_movies(replace(model.new_movies, offset=offset))
    users = draw_users(rows, model.base.movie_ids, config.sizes, seed, viewed=True)
    return replace(model, base=with_exposure_thresholds(model, users))


class _Parts:
    """What is fitted to movies and ratings before anything is validated."""

    def __init__(
        self,
        movies: tuple[Movie, ...],
        rows: RatingRows,
        taste: PreferenceScorers,
        config: ContentConfig,
        seed: int,
    ) -> None:
        self.movies, self.rows, self.taste = movies, rows, taste
        self.config, self.seed = config, seed
        self.sums = rows.sums(len(movies))
        self.rated = self.sums[:, 0] > 0
        self.movie_vectors = MovieVectors.fit(
            movies, self.sums, min_movies=config.min_movies_per_tag
        )
        self.matrix = self.movie_vectors.matrix(movies, self.sums)
        self.pipeline = _fit_space(self)

    def predictions(self, known: Mask) -> Ridge:
        """Return content → (log popularity, taste), learned where `known` holds."""
        content = self.matrix[:, self.movie_vectors.content]
        penalty = self.config.new_movie_penalty
        return fit_predictions(content, self.sums[:, 1], self.taste.rows(), known, penalty)

    def model(self, weights: dict[str, float]) -> Content:
        """Return the model of these parts."""
        new_movies = fit_slopes(
            NewMovies(self.predictions(self.rated)), self.taste, self.rows, self.seed
        )
        empty = MovieTable.of(
            self.movies, np.zeros((len(self.movies), self.taste.d), np.float32),
            np.zeros(len(self.movies), np.int16),
        )  # fmt: skip
        model = Content(
            self.movie_vectors, self.pipeline, self.taste, new_movies, weights, empty, self.sums
        )
        return replace(model, base=with_cold(model, self, ~self.rated))


def _fit_space(parts: _Parts) -> Pipeline:
    """Return scaler → PCA → KMeans of the movie vectors."""
    config, matrix = parts.config, parts.matrix
    if not len(matrix):
        matrix = np.zeros((1, parts.movie_vectors.d), np.float32)
    pipeline, _ = fit_pipeline(
        matrix, parts.movie_vectors.column_weights(1.0), config.dimensions, config.clusters,
        parts.seed, parts.movie_vectors.variance_floor(matrix),
    )  # fmt: skip
    return pipeline


def with_cold(model: Content, parts: _Parts, cold: Mask) -> MovieTable:
    """Return the table of all movies, those where `cold` holds as if nobody had rated them."""
    vectors, clusters = model.encode(parts.matrix, parts.taste.rows())
    unrated = [movie for movie, is_cold in zip(parts.movies, cold, strict=True) if is_cold]
    nothing = np.zeros((len(unrated), 3), np.int64)
    vectors[cold], clusters[cold] = model.encode(model.movie_vectors.matrix(unrated, nothing))
    return MovieTable.of(parts.movies, vectors, clusters)


def _validate(trial: _Parts, validation: Validation) -> tuple[dict[str, float], float]:
    """Return the weights and the cold offset for them."""
    config = trial.config
    model = trial.model(config.used(PRIOR))
    movies = model.movies()

    def signals(case: FoldIn) -> dict[str, Matrix]:
        return config.used(model.signals(case.movies, movies))

    candidates = most_liked(trial.sums[:, 1], config.candidates)
    weights = BlendWeightSearch.of(validation, signals, candidates).learn(config.used(PRIOR), LEAST)
    return weights, _cold_offset(trial, replace(model, weights=weights), validation)


def _cold_offset(
    trial: _Parts, model: Content, validation: Validation, share: float = 0.1
) -> float:
    """Return the largest offset that costs little when a tenth of the rated movies is hidden."""
    known, cold = hide(trial.rated, share, trial.seed)
    model = replace(
        model.with_new_movies(
            replace(model.new_movies, prior=trial.predictions(known), offset=0.0)
        ),
        base_sums=np.where(cold[:, None], 0, model.base_sums),
    )
    movies = with_cold(model, trial, cold)
    search = OffsetSearch(cold)
    for case in validation.cases:
        mask = trial.rated.copy()
        mask[case.movies] = False
        search.add(model.scores(case.movies, movies), mask, case.targets)
    return search.largest()
