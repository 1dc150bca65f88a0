"""Fits the hybrid model: ALS factors, reduced space, mix, predictions for new films."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from implicit.als import AlternatingLeastSquares
from pydantic import Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from hybrid.factors import Factors
from hybrid.folding_fit import choose_trust
from hybrid.model import Evidence, Hybrid
from marquee.cases import OffsetSearch, gather, hide, most_liked
from marquee.dataset import Dataset
from marquee.few_ratings_fit import FewRatingsConfig, choose_few_ratings, fit_few_ratings
from marquee.films import Film, Films
from marquee.mix_config import MixConfig
from marquee.movie_vector import MovieVectors
from marquee.new_films import NewFilms
from marquee.new_films_fit import deviation_slope, fit_predictions, intercept_rate
from marquee.pipeline import Matrix, Pipeline
from marquee.pipeline_fit import fit_pipeline
from marquee.rating_rows import Case, RatingRows, draw_cases, split_users
from marquee.ridge import Ridge

START = {"few_ratings": 1.0, "als": 0.3, "space": 0.1, "popularity": 0.3, "cluster": 0.05}
"""Weights before any validation, and where there are no validation users."""
LEAST = {"popularity": 0.0, "few_ratings": 0.0, "als": 0.1, "space": 0.1, "cluster": 0.02}
"""Weights that learning keeps: a film that becomes more popular must not sink for that."""

_PASSES = 2


class HybridConfig(MixConfig):
    """Sizes and strengths of the parts of the hybrid model; `without` leaves out signals."""

    signals: ClassVar[tuple[str, ...]] = (*START, "space_other")

    factors: int = Field(64, ge=1)
    """Factors of the ALS."""
    iterations: int = Field(15, ge=1)
    max_users: int = Field(20_000, ge=1)
    """Of more users a sample makes the factors, and two passes over all of them the final ones."""
    regularization: float = Field(100.0, gt=0)
    regularizations: tuple[float, ...] = (30.0, 100.0, 300.0)
    """Regularizations of the ALS that validation chooses from."""
    liked: float = Field(8.0, ge=1)
    """Confidence in a liked film (1: as in a film not rated)."""
    other: float = Field(4.0, ge=1)
    """Confidence in a film that was rated and not liked."""
    content_weight: float = Field(0.5, ge=0)
    """Variance of the movie vector in the reduced space, the factors having 1."""
    dimensions: int = Field(48, ge=1)
    clusters: int = Field(32, ge=1)
    few_ratings: FewRatingsConfig = FewRatingsConfig()
    penalties: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Penalties of the model of few ratings that validation chooses from."""
    new_film_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of content → factors."""
    new_film_trust: float = Field(0.3, gt=0)
    """Weight of what content says of a new film against its raters (1: as much as all viewers)."""
    new_film_trusts: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Weights that validation chooses from."""
    min_films_per_tag: int = Field(3, ge=1)
    validation_share: float = Field(0.1, ge=0, le=0.5)
    sizes: tuple[int, ...] = (1, 2, 3, 4)
    """Fold-in sizes of the validation."""
    draws: int = Field(2, ge=1)
    max_cases: int = Field(1000, ge=0)
    candidates: int = Field(2000, ge=1)
    """Films among which the weights of the mix are learned, the most liked ones."""


def fit(dataset: Dataset, config: HybridConfig, seed: int) -> Hybrid:
    """Return the model of a data set; users held out by `seed` choose penalty and weights."""
    with threadpool_limits(1):  # more threads change sums, and small systems gain nothing by them
        return _fit(dataset, config, seed)


def _fit(dataset: Dataset, config: HybridConfig, seed: int) -> Hybrid:
    rows = RatingRows.of(dataset)
    kept, held_out = split_users(len(rows), config.validation_share, seed)
    cases = draw_cases(rows, held_out, config.sizes, config.draws, seed)
    cases = cases[: config.max_cases] if config.max_cases else []
    weights, offset = config.used(START), 0.0
    if cases:
        fitted = rows.of_users(kept)
        config = choose_regularization(fitted, len(dataset.films), config, cases, seed)
        trial = _Parts(dataset.films, fitted, config, seed)
        config, weights, offset = _validate(trial, cases)
    parts = _Parts(dataset.films, rows, config, seed)
    model = parts.model(config.few_ratings, weights)
    return model.with_new_films(replace(model.new_films, offset=offset))


class _Parts:
    """What is fitted to ratings before anything is validated."""

    def __init__(
        self, films: tuple[Film, ...], rows: RatingRows, config: HybridConfig, seed: int
    ) -> None:
        self.films, self.rows, self.config, self.seed = films, rows, config, seed
        self.sums = rows.sums(len(films))
        self.positive = self.sums[:, 1]
        self.rated = self.sums[:, 0] > 0
        self.movie_vectors = MovieVectors.fit(films, self.sums, min_films=config.min_films_per_tag)
        self.matrix = self.movie_vectors.matrix(films, self.sums)
        self.factors = fit_factors(rows, len(films), config, seed)
        self.pipeline = _fit_space(self)

    def predictions(self, known: npt.NDArray[np.bool_]) -> Ridge:
        """Return content → (log popularity, factors), learned where `known` holds."""
        content = self.matrix[:, self.movie_vectors.content]
        penalty = self.config.new_film_penalty
        return fit_predictions(content, self.positive, self.factors.items, known, penalty)

    def model(self, few_config: FewRatingsConfig, weights: dict[str, float]) -> Hybrid:
        """Return the model of these parts; films that nobody rated get predicted factors."""
        few = fit_few_ratings(self.rows, len(self.films), few_config, self.seed)
        new_films = NewFilms(
            self.predictions(self.rated),
            intercept_rate(few, self.positive),
            deviation_slope(few, self._some_cases(few_config.n), self._als),
        )
        model = Hybrid(
            self.movie_vectors, self.factors, self.pipeline, few, new_films, weights,
            _empty(self.films), self.sums,
        )  # fmt: skip
        return replace(model, base=with_cold(model, self, ~self.rated))

    def _some_cases(self, n: int) -> list[Case]:
        some, _ = split_users(len(self.rows), 0.0, self.seed)
        return draw_cases(self.rows, some[:100], (n,), 1, self.seed)

    def _als(self, case: Case) -> Matrix:
        items = self.factors.items
        scores: Matrix = items @ self.factors.fold_in(items[case.films], case.half_stars)
        return scores


def _empty(films: tuple[Film, ...]) -> Films:
    """Return the table of films with no vectors yet."""
    return Films.of(films, np.zeros((len(films), 0), np.float32), np.zeros(len(films), np.int16))


def fit_factors(rows: RatingRows, n_films: int, config: HybridConfig, seed: int) -> Factors:
    """Return the ALS factors of n_films film rows; a film without a liking viewer has zeros."""
    items = np.zeros((n_films, config.factors), np.float32)
    users = np.zeros((len(rows), config.factors), np.float32)
    if rows.liked.any():
        sample = _sample(rows, config.max_users, seed)
        als = _als(config, config.iterations, seed)
        als.fit(_confidence(sample, n_films, config), show_progress=False)
        if sample is not rows:
            items, als = als.item_factors, _als(config, _PASSES, seed)
            als.item_factors, als.user_factors = items, users
            als.fit(_confidence(rows, n_films, config), show_progress=False)
        items = np.nan_to_num(np.asarray(als.item_factors, np.float32))
        users = np.nan_to_num(np.asarray(als.user_factors, np.float32))
    gram, of_users = _gram(items, config), _gram(users, config)
    return Factors(items, gram, config.liked, config.other, of_users, config.new_film_trust)


def _sample(rows: RatingRows, max_users: int, seed: int) -> RatingRows:
    if len(rows) <= max_users:
        return rows
    kept, _ = split_users(len(rows), 1 - max_users / len(rows), seed)
    return rows.of_users(kept)


def _als(config: HybridConfig, iterations: int, seed: int) -> AlternatingLeastSquares:
    return AlternatingLeastSquares(
        config.factors, regularization=config.regularization,
        iterations=iterations, num_threads=1, random_state=seed,
    )  # fmt: skip


def _confidence(rows: RatingRows, n_films: int, config: HybridConfig) -> sparse.csr_matrix:
    """Return u × n_films: how sure a film is liked, below 0 how sure that it is not."""
    confidence = np.where(rows.liked, config.liked, -config.other).astype(np.float32)
    return sparse.csr_matrix((confidence, rows.films, rows.starts), (len(rows), n_films))


def _gram(factors: Matrix, config: HybridConfig) -> npt.NDArray[np.float64]:
    gram = factors.T.astype(np.float64) @ factors
    gram[np.diag_indices_from(gram)] += config.regularization
    return gram


def choose_regularization(
    rows: RatingRows, n_films: int, config: HybridConfig, cases: list[Case], seed: int
) -> HybridConfig:
    """Return the config with the regularization by which ALS and popularity rank the cases best."""
    positive = rows.sums(n_films)[:, 1]
    candidates = most_liked(positive, config.candidates)
    rows = _sample(rows, config.max_users, seed)
    reached = []
    for regularization in config.regularizations:
        tried = config.model_copy(update={"regularization": regularization})
        factors = fit_factors(rows, n_films, tried, seed)

        def signals(case: Case, factors: Factors = factors) -> dict[str, Matrix]:
            viewer = factors.fold_in(factors.items[case.films], case.half_stars)
            return {"als": factors.items @ viewer, "popularity": np.log1p(positive)}

        gathered = gather(cases, signals, candidates, n_films)
        reached.append((gathered.quality({"als": 1.0, "popularity": 2.0}), tried))
    return max(reached, key=lambda pair: pair[0])[1] if reached else config


def _fit_space(parts: _Parts) -> Pipeline:
    """Return scaler → PCA → KMeans of [factors ++ vectors], fitted on rated films with tags."""
    config, movie_vectors, f = parts.config, parts.movie_vectors, parts.factors.f
    chosen = movie_vectors.has_tags(parts.matrix) & parts.rated
    if chosen.sum() < 2:
        chosen = np.ones(len(chosen), bool)
    joined = np.hstack([parts.factors.items, parts.matrix])[chosen]
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


def with_cold(model: Hybrid, parts: _Parts, cold: npt.NDArray[np.bool_]) -> Films:
    """Return the table of all films, those where `cold` holds as if nobody had rated them."""
    vectors, clusters = model.encode(parts.matrix, parts.factors.items)
    unrated = [film for film, is_cold in zip(parts.films, cold, strict=True) if is_cold]
    nothing = np.zeros((len(unrated), 3), np.int64)
    vectors[cold], clusters[cold] = model.encode(model.movie_vectors.matrix(unrated, nothing))
    return Films.of(parts.films, vectors, clusters)


def _validate(trial: _Parts, cases: list[Case]) -> tuple[HybridConfig, dict[str, float], float]:
    """Return the config with the best penalty, the weights and the cold offset for it."""
    config, n_films = trial.config, len(trial.films)
    candidates = most_liked(trial.positive, config.candidates)
    few_config = choose_few_ratings(
        trial.rows, config.few_ratings, config.penalties, cases, candidates, n_films
    )
    model = trial.model(few_config, config.used(START))
    films = model.films()

    def signals(case: Case) -> dict[str, Matrix]:
        return config.used(model.signals(_evidence(case), films))

    gathered = gather(cases, signals, candidates, n_films)
    weights = gathered.learn(config.used(START), LEAST)
    update = {"few_ratings": few_config, "new_film_trust": _trust(trial)}
    config = config.model_copy(update=update)
    return config, weights, _cold_offset(trial, replace(model, weights=weights), cases)


def _trust(trial: _Parts, share: float = 0.1) -> float:
    """Return the weight by which hidden films, a few ratings known, find those who like them."""
    config = trial.config
    known, cold = hide(trial.rated, share, trial.seed)
    content = trial.matrix[:, trial.movie_vectors.content]
    predicted = trial.predictions(known).apply(content)[:, 1:]
    return choose_trust(
        trial.factors, predicted, cold & trial.rated, trial.rows, config.new_film_trusts, trial.seed
    )


def _evidence(case: Case) -> Evidence:
    return Evidence(case.films, case.half_stars.astype(np.int64))


def _cold_offset(trial: _Parts, model: Hybrid, cases: list[Case], share: float = 0.1) -> float:
    """Return the largest offset that costs little when a tenth of the rated films is hidden.

    Hidden films are rows as if nobody had rated them, by predictions learned without them.
    """
    known, cold = hide(trial.rated, share, trial.seed)
    model = replace(
        model.with_new_films(replace(model.new_films, prior=trial.predictions(known), offset=0.0)),
        base_sums=np.where(cold[:, None], 0, model.base_sums),
    )
    films = with_cold(model, trial, cold)
    search = OffsetSearch(cold)
    for case in cases:
        mask = trial.rated.copy()
        mask[case.films] = False
        search.add(model.scores(_evidence(case), films, mask), mask, case.targets)
    return search.largest()
