"""Fits what routes share to tell a taste, once a training: the models that need it find it here."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix, Reals
from marquee.features.interactions import FoldIn, RatingRows, split_users
from marquee.scoring.als import AlsFactors
from marquee.scoring.autoencoder import Autoencoder
from marquee.scoring.linear_autoencoder import LinearAutoencoder
from marquee.scoring.preference import TASTE, NoneCold, PreferenceScorers
from marquee.training.als import AlsConfig, fit_als
from marquee.training.autoencoder import AutoencoderConfig, fit_over_movies
from marquee.training.blending import BlendWeightSearch, Validation, beyond_noise
from marquee.training.linear_autoencoder import LinearAutoencoderConfig, fit_linear_autoencoder
from marquee.training.validation_cases import most_liked

_KEPT = 2
"""Fits that are kept: a training needs one; one more costs little while two alternate."""

WEIGHTS = {"preference": 1.0, "als": 0.7, "few_ratings": 0.3, "less_popular": 0.15}
"""What ranked best from one to fifteen ratings where it was tried; a wide range does as well."""


class PreferenceConfig(BaseModel):
    """Sizes and strengths of the three scorers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoencoder: AutoencoderConfig = AutoencoderConfig(
        width=320, dropout=0.5, long_share=0.45, seen_share=0.3, condensed=64
    )
    min_ratings: int = Field(3, ge=1)
    """A movie with fewer ratings is not in the autoencoder's training."""
    factors: AlsConfig = AlsConfig()
    regularizations: tuple[float, ...] = (30.0, 120.0)
    """Regularizations of the ALS that may take the place of its own, where they gain."""
    few_ratings: LinearAutoencoderConfig = LinearAutoencoderConfig(penalty=0.1)
    others: tuple[LinearAutoencoderConfig, ...] = (
        LinearAutoencoderConfig(penalty=0.03),
        LinearAutoencoderConfig(penalty=0.5),
    )
    """Models of few ratings that may take its place, where they gain."""
    validation_share: float = Field(0.2, ge=0, le=0.5)
    sizes: tuple[int, ...] = (1, 3, 5, 10)
    """Fold-in sizes of the validation."""
    max_cases: int = Field(1500, ge=0)
    candidates: int = Field(2000, ge=1)
    """Movies among which is judged, the most liked ones."""

    def with_regularization(self, regularization: float) -> "PreferenceConfig":
        """Return the same with another regularization of the ALS."""
        factors = self.factors.model_copy(update={"regularization": regularization})
        return self.model_copy(update={"factors": factors})


@dataclass(frozen=True, eq=False)
class FittedPreference:
    """`taste` of all users; `trial` of those `kept` when some were `held_out` to judge, or None."""

    taste: PreferenceScorers
    trial: PreferenceScorers | None
    kept: Ints
    held_out: Ints


_FITTED: dict[str, FittedPreference] = {}


def fit_preference(
    rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int
) -> FittedPreference:
    """Return the scorers of n_movies movie rows; the same arguments again cost nothing."""
    key = _key(rows, n_movies, config, seed)
    found = _FITTED.pop(key, None)
    if found is None:
        with threadpool_limits(1):
            found = _fit(rows, n_movies, config, seed)
    _FITTED[key] = found
    while len(_FITTED) > _KEPT:
        _FITTED.pop(next(iter(_FITTED)))
    return found


def _key(rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int) -> str:
    digest = hashlib.sha256(f"{n_movies} {seed} {config.model_dump_json()}".encode())
    for array in (rows.starts, rows.movies, rows.half_stars):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _fit(rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int) -> FittedPreference:
    kept, held_out = split_users(len(rows), config.validation_share, seed)
    validation = Validation.draw(rows, held_out, config.sizes, 1, seed)
    validation = validation.at_most(config.max_cases)
    trial = None
    with ThreadPoolExecutor(1) as other:  # nothing that is chosen changes the network
        network = other.submit(_network, rows, n_movies, config, seed)
        if validation.cases:
            config, trial = _choose(rows.of_users(kept), n_movies, config, validation, seed)
        taste = PreferenceScorers(network.result(), *_linear(rows, n_movies, config, seed))
    return FittedPreference(taste, trial, kept, held_out)


def _network(rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int) -> Autoencoder:
    sums = rows.sums(n_movies)
    return fit_over_movies(rows, sums, config.min_ratings, config.autoencoder, seed)


def _linear(
    rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int
) -> tuple[AlsFactors, LinearAutoencoder]:
    return (
        fit_als(rows, n_movies, config.factors, seed),
        fit_linear_autoencoder(rows, n_movies, config.few_ratings, seed),
    )


def _choose(
    rows: RatingRows, n_movies: int, config: PreferenceConfig, validation: Validation, seed: int
) -> tuple[PreferenceConfig, PreferenceScorers]:
    """Return the config with what judges best beside the rest, and the scorers of these users."""
    network = _network(rows, n_movies, config, seed)
    trial = PreferenceScorers(network, *_linear(rows, n_movies, config, seed))
    candidates = most_liked(rows.sums(n_movies)[:, 1], config.candidates)
    best = _judged(trial, validation, candidates)
    for regularization in config.regularizations:
        tried = config.with_regularization(regularization)
        other = replace(trial, factors=fit_als(rows, n_movies, tried.factors, seed))
        values = _judged(other, validation, candidates)
        if beyond_noise(values - best):
            best, trial, config = values, other, tried
    for few in config.others:
        other = replace(trial, few_ratings=fit_linear_autoencoder(rows, n_movies, few, seed))
        values = _judged(other, validation, candidates)
        if beyond_noise(values - best):
            best, trial, config = values, other, config.model_copy(update={"few_ratings": few})
    return config, trial


def _judged(taste: PreferenceScorers, validation: Validation, candidates: Ints) -> Reals:
    rows = taste.rows()

    def signals(case: FoldIn) -> Mapping[str, Matrix]:
        return taste.signals(case.movies, case.half_stars, rows, NoneCold())

    judge = BlendWeightSearch.of(validation, signals, candidates)
    return judge.values(judge.total({name: WEIGHTS[name] for name in TASTE}))
