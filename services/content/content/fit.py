"""Fits the content model: film vectors, reduced space, mix, predictions for new films."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from threadpoolctl import threadpool_limits

from content.model import Content
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

START = {"seen_together": 1.0, "popularity": 0.5, "content": 0.2, "nearest": 0.1, "cluster": 0.05}
"""Weights before any validation, and where there are no validation users."""
LEAST = {"popularity": 0.0, "seen_together": 0.0, "content": 0.1, "nearest": 0.0, "cluster": 0.02}
"""Weights that learning keeps: a film that becomes more popular must not sink for that."""


class ContentConfig(MixConfig):
    """Sizes and strengths of the parts of the content model; `without` leaves out signals."""

    signals: ClassVar[tuple[str, ...]] = tuple(START)

    dimensions: int = Field(80, ge=1)
    clusters: int = Field(32, ge=1)
    min_films_per_tag: int = Field(3, ge=1)
    """A tag of fewer films is not in the vocabulary."""
    seen_together: FewRatingsConfig = FewRatingsConfig(channels=1)
    penalties: tuple[float, ...] = (0.1, 0.3, 1.0)
    """Penalties of what is seen together that validation chooses from."""
    new_film_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of content → popularity."""
    validation_share: float = Field(0.1, ge=0, le=0.5)
    sizes: tuple[int, ...] = (1, 3, 5)
    """Films viewed in the cases of the validation."""
    draws: int = Field(2, ge=1)
    max_cases: int = Field(1000, ge=0)
    candidates: int = Field(2000, ge=1)
    """Films among which the weights of the mix are learned, the most liked ones."""


def fit(dataset: Dataset, config: ContentConfig, seed: int) -> Content:
    """Return the model of a data set; users held out by `seed` choose penalty and weights."""
    with threadpool_limits(1):  # more threads change sums, and small systems gain nothing by them
        return _fit(dataset, config, seed)


def _fit(dataset: Dataset, config: ContentConfig, seed: int) -> Content:
    rows = RatingRows.of(dataset)
    kept, held_out = split_users(len(rows), config.validation_share, seed)
    cases = draw_cases(rows, held_out, config.sizes, config.draws, seed)[: config.max_cases]
    weights, offset = config.used(START), 0.0
    if cases:
        trial = _Parts(dataset.films, rows.of_users(kept), config, seed)
        config, weights, offset = _validate(trial, cases)
    model = _Parts(dataset.films, rows, config, seed).model(config.seen_together, weights)
    return model.with_new_films(replace(model.new_films, offset=offset))


class _Parts:
    """What is fitted to films and ratings before anything is validated."""

    def __init__(
        self, films: tuple[Film, ...], rows: RatingRows, config: ContentConfig, seed: int
    ) -> None:
        self.films, self.rows, self.config, self.seed = films, rows, config, seed
        self.sums = rows.sums(len(films))
        self.positive = self.sums[:, 1]
        self.rated = self.sums[:, 0] > 0
        self.movie_vectors = MovieVectors.fit(films, self.sums, min_films=config.min_films_per_tag)
        self.matrix = self.movie_vectors.matrix(films, self.sums)
        self.pipeline = _fit_space(self)

    def predictions(self, known: npt.NDArray[np.bool_]) -> Ridge:
        """Return content → log popularity, learned where `known` holds."""
        content = self.matrix[:, self.movie_vectors.content]
        factors = np.zeros((len(content), 0), np.float32)
        penalty = self.config.new_film_penalty
        return fit_predictions(content, self.positive, factors, known, penalty)

    def model(self, seen_config: FewRatingsConfig, weights: dict[str, float]) -> Content:
        """Return the model of these parts."""
        together = fit_few_ratings(self.rows, len(self.films), seen_config, self.seed)
        new_films = NewFilms(self.predictions(self.rated), intercept_rate(together, self.positive))
        empty = Films.of(
            self.films, np.zeros((len(self.films), 0), np.float32),
            np.zeros(len(self.films), np.int16),
        )  # fmt: skip
        model = Content(
            self.movie_vectors, self.pipeline, together, new_films, weights, empty, self.sums
        )
        model = replace(model, base=with_cold(model, self, ~self.rated))
        slope = deviation_slope(together, self._some_cases(seen_config.n), _similarity(model))
        return model.with_new_films(replace(new_films, slope=slope))

    def _some_cases(self, n: int) -> list[Case]:
        some, _ = split_users(len(self.rows), 0.0, self.seed)
        return draw_cases(self.rows, some[:100], (n,), 1, self.seed)


def _similarity(model: Content) -> Callable[[Case], Matrix]:
    films = model.films()
    return lambda case: model.signals(case.films, films)["content"]


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


def with_cold(model: Content, parts: _Parts, cold: npt.NDArray[np.bool_]) -> Films:
    """Return the table of all films, those where `cold` holds as if nobody had rated them."""
    sums = np.where(cold[:, None], 0, parts.sums)
    matrix = parts.matrix.copy()
    unrated = [film for film, is_cold in zip(parts.films, cold, strict=True) if is_cold]
    matrix[cold] = model.movie_vectors.matrix(unrated, sums[cold])
    return Films.of(parts.films, *model.encode(matrix, cold))


def _validate(trial: _Parts, cases: list[Case]) -> tuple[ContentConfig, dict[str, float], float]:
    """Return the config with the best penalty, the weights and the cold offset for it."""
    config, n_films = trial.config, len(trial.films)
    candidates = most_liked(trial.positive, config.candidates)
    seen_config = choose_few_ratings(
        trial.rows, config.seen_together, config.penalties, cases, candidates, n_films
    )
    model = trial.model(seen_config, config.used(START))
    films = model.films()

    def signals(case: Case) -> dict[str, Matrix]:
        return config.used(model.signals(case.films, films))

    gathered = gather(cases, signals, candidates, n_films)
    weights = gathered.learn(config.used(START), LEAST)
    config = config.model_copy(update={"seen_together": seen_config})
    return config, weights, _cold_offset(trial, replace(model, weights=weights), cases)


def _cold_offset(trial: _Parts, model: Content, cases: list[Case], share: float = 0.1) -> float:
    """Return the largest offset that costs little when a tenth of the rated films is hidden."""
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
        search.add(model.scores(case.films, films, mask), mask, case.targets)
    return search.largest()
