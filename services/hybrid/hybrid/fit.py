"""Fits the hybrid model: ALS factors, reduced space, mix, predictions for new movies."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from hybrid.als_fold_in_fit import choose_trust
from hybrid.model import Evidence, Hybrid
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
from marquee.training.user_clusters import fit_rated_clusters
from marquee.training.validation_cases import most_liked

PRIOR = {
    **WEIGHTS,
    "popularity": 0.0,
    "space": 1.0,
    "space_other": 0.0,
    "cluster": 0.1,
    "viewers": 0.2,
}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
LEAST = {"popularity": 0.0, "preference": 0.0, "few_ratings": 0.0, "als": 0.1, "space": 0.1,
         "cluster": 0.05, "viewers": 0.0}  # fmt: skip
"""Weights that learning keeps: a movie that becomes more popular must not sink for that."""


class HybridConfig(BlendConfig):
    """Sizes and strengths of the parts of the hybrid model; `without` leaves out signals."""

    signals: ClassVar[tuple[str, ...]] = tuple(PRIOR)

    taste: PreferenceConfig = PreferenceConfig()
    content_weight: float = Field(4.0, ge=0)
    """Variance of the movie vector in the reduced space, the factors having 1."""
    dimensions: int = Field(48, ge=1)
    clusters: int = Field(32, ge=1)
    user_clusters: int | None = Field(None, ge=1, le=1000)
    """None: one for 75 users, 2 to 64."""
    new_movie_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of content → popularity, taste and the clusters' rates."""
    new_movie_trust: float = Field(0.3, gt=0)
    """Weight of what content says of a new movie against its raters (1: as much as all users)."""
    new_movie_trusts: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Weights that validation chooses from."""
    min_movies_per_tag: int = Field(3, ge=1)
    sizes: tuple[int, ...] = (1, 2, 3, 4)
    """Fold-in sizes of the validation."""
    draws: int = Field(2, ge=1)
    max_cases: int = Field(1500, ge=0)
    candidates: int = Field(2000, ge=1)
    """Movies among which the weights of the mix are learned, the most liked ones."""


def fit(dataset: Dataset, config: HybridConfig, seed: int) -> Hybrid:
    """Return the model of a data set; users held out by `seed` choose weights and offset."""
    with threadpool_limits(1):  # more threads change sums, and small systems gain nothing by them
        return _fit(dataset, config, seed)


def _fit(dataset: Dataset, config: HybridConfig, seed: int) -> Hybrid:
    rows, movies = RatingRows.of(dataset), dataset.movies
    found = fit_preference(rows, len(movies), config.taste, seed)
    weights, offset, trust = config.used(PRIOR), 0.0, config.new_movie_trust
    if found.trial is not None:
        validation = Validation.draw(rows, found.held_out, config.sizes, config.draws, seed)
        trial = _Parts(movies, rows.of_users(found.kept), found.trial, config, seed)
        weights, offset, trust = _validate(trial, validation.at_most(config.max_cases))
    taste = replace(found.taste, factors=replace(found.taste.factors, trust=trust))
    model = _Parts(movies, rows, taste, config, seed).model(weights)
    model = model.with_new_movies(replace(model.new_movies, offset=offset))
    users = draw_users(rows, model.base.movie_ids, config.sizes, seed)
    return replace(model, base=with_exposure_thresholds(model, users))


class _Parts:
    """What is fitted to ratings before anything is validated."""

    def __init__(
        self,
        movies: tuple[Movie, ...],
        rows: RatingRows,
        taste: PreferenceScorers,
        config: HybridConfig,
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
        self.users, rates = fit_rated_clusters(
            taste.network, rows, len(movies), config.user_clusters, seed
        )
        self.learned: Matrix = np.hstack([taste.rows(), rates])

    def predictions(self, known: Mask) -> Ridge:
        """Return content → (log popularity, what users teach), learned where `known` holds."""
        content = self.matrix[:, self.movie_vectors.content]
        penalty = self.config.new_movie_penalty
        return fit_predictions(content, self.sums[:, 1], self.learned, known, penalty)

    def model(self, weights: dict[str, float]) -> Hybrid:
        """Return the model of these parts; movies that nobody rated get predicted tastes."""
        new_movies = fit_slopes(
            NewMovies(self.predictions(self.rated)), self.taste, self.rows, self.seed
        )
        empty = MovieTable.of(
            self.movies, np.zeros(self.learned.shape, np.float32),
            np.zeros(len(self.movies), np.int16),
        )  # fmt: skip
        model = Hybrid(
            self.movie_vectors, self.pipeline, self.taste, self.users, new_movies, weights, empty,
            self.sums,
        )  # fmt: skip
        return replace(model, base=with_cold(model, self, ~self.rated))


def _fit_space(parts: _Parts) -> Pipeline:
    """Return scaler → PCA → KMeans of [factors ++ vectors], fitted on rated movies with tags."""
    config, movie_vectors, f = parts.config, parts.movie_vectors, parts.taste.factors.f
    chosen = movie_vectors.has_tags(parts.matrix) & parts.rated
    if chosen.sum() < 2:
        chosen = np.ones(len(chosen), bool)
    joined = np.hstack([parts.taste.factors.items, parts.matrix])[chosen]
    if not len(joined):
        joined = np.zeros((1, f + movie_vectors.d), np.float32)
    weights = np.concatenate(
        [np.full(f, f**-0.5), movie_vectors.column_weights(config.content_weight)]
    )
    floor = np.concatenate([np.zeros(f), movie_vectors.variance_floor(parts.matrix[chosen])])
    pipeline, _ = fit_pipeline(
        joined, weights, config.dimensions, config.clusters, parts.seed, floor
    )
    return pipeline


def with_cold(model: Hybrid, parts: _Parts, cold: Mask) -> MovieTable:
    """Return the table of all movies, those where `cold` holds as if nobody had rated them."""
    vectors, clusters = model.encode(parts.matrix, parts.learned)
    unrated = [movie for movie, is_cold in zip(parts.movies, cold, strict=True) if is_cold]
    nothing = np.zeros((len(unrated), 3), np.int64)
    vectors[cold], clusters[cold] = model.encode(model.movie_vectors.matrix(unrated, nothing))
    return MovieTable.of(parts.movies, vectors, clusters)


def _validate(trial: _Parts, validation: Validation) -> tuple[dict[str, float], float, float]:
    """Return the weights, the cold offset for them, and how far content is trusted."""
    config = trial.config
    model = trial.model(config.used(PRIOR))
    movies = model.movies()

    def signals(case: FoldIn) -> dict[str, Matrix]:
        return config.used(model.signals(_evidence(case), movies))

    candidates = most_liked(trial.sums[:, 1], config.candidates)
    weights = BlendWeightSearch.of(validation, signals, candidates).learn(config.used(PRIOR), LEAST)
    offset = _cold_offset(trial, replace(model, weights=weights), validation)
    return weights, offset, _trust(trial)


def _trust(trial: _Parts, share: float = 0.1) -> float:
    """Return the weight by which hidden movies, a few ratings known, find those who like them."""
    config = trial.config
    known, cold = hide(trial.rated, share, trial.seed)
    content = trial.matrix[:, trial.movie_vectors.content]
    factors = trial.taste.factors
    predicted = NewMovies(trial.predictions(known)).predict(content)[1][:, : factors.f]
    return choose_trust(
        factors, predicted, cold & trial.rated, trial.rows, config.new_movie_trusts, trial.seed
    )


def _evidence(case: FoldIn) -> Evidence:
    return Evidence(case.movies, case.half_stars.astype(np.int64))


def _cold_offset(trial: _Parts, model: Hybrid, validation: Validation, share: float = 0.1) -> float:
    """Return the largest offset that costs little when a tenth of the rated movies is hidden.

    Hidden movies are rows as if nobody had rated them, by predictions learned without them.
    """
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
        search.add(model.scores(_evidence(case), movies), mask, case.targets)
    return search.largest()
