"""Fit of the preference scorers, once a training: the three models that use them share the fit."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Reals, Vector
from marquee.features.interactions import FoldIn, RatingRows, split_users
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.scoring.scorers.preference import (
    FIRST,
    PREFERENCE_SIGNALS,
    NoImputation,
    PreferenceScorers,
)
from marquee.training.blending import BlendWeightSearch, Validation, beyond_noise
from marquee.training.scorers.als import AlsConfig, fit_als
from marquee.training.scorers.autoencoder import AutoencoderConfig, fit_over_movies
from marquee.training.scorers.linear_autoencoder import (
    LinearAutoencoderConfig,
    fit_linear_autoencoder,
)
from marquee.training.validation_cases import most_liked

_CACHE_SIZE = 2
"""Fits that are cached: a training needs one; one more costs little while two alternate."""

PREFERENCE_WEIGHTS = {
    "preference": 1.0,
    "als": 0.7,
    "few_ratings": 0.3,
    FIRST: 0.0,
    "less_popular": 0.15,
}
"""Weights that ranked best from one to fifteen ratings in trials; a wide range does as well."""


class PreferenceConfig(BaseModel):
    """Sizes and strengths of the three scorers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autoencoder: AutoencoderConfig = AutoencoderConfig(
        width=320, dropout=0.5, long_share=0.45, seen_share=0.3, condensed=64
    )
    first: AutoencoderConfig = AutoencoderConfig(width=128, time_share=1.0, condensed=64)
    """Autoencoder of first ratings in time, fitted where the data have usable times."""
    min_ratings: int = Field(3, ge=1)
    """A movie with fewer ratings is not in the autoencoders' training."""
    factors: AlsConfig = AlsConfig()
    regularizations: tuple[float, ...] = (30.0, 120.0)
    """Regularizations that may replace that of `factors`, where they gain."""
    few_ratings: LinearAutoencoderConfig = LinearAutoencoderConfig(penalty=0.1)
    others: tuple[LinearAutoencoderConfig, ...] = (
        LinearAutoencoderConfig(penalty=0.03),
        LinearAutoencoderConfig(penalty=0.5),
    )
    """Configs that may replace `few_ratings`, where they gain."""
    validation_share: float = Field(0.2, ge=0, le=0.5)
    sizes: tuple[int, ...] = (1, 3, 5, 10)
    """Fold-in sizes of the validation."""
    max_cases: int = Field(1500, ge=0)
    """Fold-ins of the validation at most."""
    candidates: int = Field(2000, ge=1)
    """Movies that validation ranks, the most liked ones."""

    def with_regularization(self, regularization: float) -> "PreferenceConfig":
        """Return the same config with another regularization of the ALS."""
        factors = self.factors.model_copy(update={"regularization": regularization})
        return self.model_copy(update={"factors": factors})


@dataclass(frozen=True, eq=False)
class FittedPreference:
    """Scorers of all users, and a trial without those held out.

    Attributes:
        scorers: fitted to all users.
        trial: fitted to the training users; None where there is nothing to validate on.
        train_users: int64, rows of the training users.
        held_out_users: int64, rows of the users held out.
    """

    scorers: PreferenceScorers
    trial: PreferenceScorers | None
    train_users: Ints
    held_out_users: Ints


_FITTED: dict[str, FittedPreference] = {}


def fit_preference(
    rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int
) -> FittedPreference:
    """Return the scorers of n_movies movie rows; the same arguments again cost nothing."""
    key = _key(rows, n_movies, config, seed)
    fitted = _FITTED.pop(key, None)
    if fitted is None:
        with threadpool_limits(1):
            fitted = _fit(rows, n_movies, config, seed)
    _FITTED[key] = fitted
    while len(_FITTED) > _CACHE_SIZE:
        _FITTED.pop(next(iter(_FITTED)))
    return fitted


def _key(rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int) -> str:
    digest = hashlib.sha256(f"{n_movies} {seed} {config.model_dump_json()}".encode())
    digest.update(str(rows.times is None).encode())
    for array in (rows.starts, rows.movies, rows.half_stars):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _fit(rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int) -> FittedPreference:
    train_users, held_out_users = split_users(len(rows), config.validation_share, seed)
    validation = Validation.draw(rows, held_out_users, config.sizes, 1, seed)
    validation = validation.at_most(config.max_cases)
    trial = None
    with ThreadPoolExecutor(1) as executor:  # nothing that is chosen changes the network
        networks = executor.submit(_networks, rows, n_movies, config, seed)
        if validation.fold_ins:
            config, trial = _choose(rows.of_users(train_users), n_movies, config, validation, seed)
        linear = _linear(rows, n_movies, config, seed)
        network, first = networks.result()
        scorers = PreferenceScorers(network, *linear, first)
    return FittedPreference(scorers, trial, train_users, held_out_users)


def _networks(
    rows: RatingRows, n_movies: int, config: PreferenceConfig, seed: int
) -> tuple[Autoencoder, Autoencoder | None]:
    """Return the autoencoders of random parts and of first ratings, if times tell these."""
    sums = rows.sums(n_movies)
    network = fit_over_movies(rows, sums, config.min_ratings, config.autoencoder, seed)
    if rows.times is None:
        return network, None
    return network, fit_over_movies(rows, sums, config.min_ratings, config.first, seed)


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
    """Return the config whose scorers together rank best, and these users' scorers by it."""
    network, first = _networks(rows, n_movies, config, seed)
    trial = PreferenceScorers(network, *_linear(rows, n_movies, config, seed), first)
    candidates = most_liked(rows.sums(n_movies)[:, 1], config.candidates)
    best = _ndcg_by_user(trial, validation, candidates)
    for regularization in config.regularizations:
        tried = config.with_regularization(regularization)
        other = replace(trial, factors=fit_als(rows, n_movies, tried.factors, seed))
        ndcg = _ndcg_by_user(other, validation, candidates)
        if beyond_noise(ndcg - best):
            best, trial, config = ndcg, other, tried
    for linear in config.others:
        other = replace(trial, short_history=fit_linear_autoencoder(rows, n_movies, linear, seed))
        ndcg = _ndcg_by_user(other, validation, candidates)
        if beyond_noise(ndcg - best):
            best, trial, config = ndcg, other, config.model_copy(update={"few_ratings": linear})
    return config, trial


def _ndcg_by_user(scorers: PreferenceScorers, validation: Validation, candidates: Ints) -> Reals:
    rows = scorers.rows()

    def signals(fold_in: FoldIn) -> Mapping[str, Vector]:
        return scorers.signals(fold_in.inputs, fold_in.half_stars, rows, NoImputation())

    search = BlendWeightSearch.of(validation, signals, candidates)
    weights = {name: PREFERENCE_WEIGHTS[name] for name in PREFERENCE_SIGNALS}
    return search.ndcg_by_user(search.blended(weights))
