"""Fit of the neural model: RatingPredictor, autoencoder, item weights, and their blend."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Mask
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.evidence_weights import EvidenceDraw, fit_order_likelihood
from marquee.training.exposure_threshold import draw_users, fit_exposure_thresholds
from marquee.training.recent_trend import PastTrends, past_trends, served_trend
from marquee.training.validation_cases import sample_fold_ins
from neural.blend import NeuralBlend
from neural.model import Neural
from neural.training.assembly import NeuralAssembly
from neural.training.blend import learn_blend
from neural.training.config import NeuralConfig
from neural.training.data_science_artifacts import data_science_artifacts
from neural.training.epochs import OnEpoch, TrainedNetwork
from neural.training.holdout import draw_evidence, fold_in_of, hold_out_ratings
from neural.training.rating_predictor import fit_rating_predictor
from neural.training.rating_split import RatingSplit

__all__ = ["NeuralConfig", "fit"]

_SHOWN_SHARE = 0.8
"""Share of a history that is known in the lists from which exposure thresholds are fitted."""


def _ignore(epoch: int, metrics: dict[str, float]) -> None:
    """Report nothing."""


def fit(dataset: Dataset, config: NeuralConfig, seed: int, on_epoch: OnEpoch = _ignore) -> Neural:
    """Fit the model.

    A fifth of some long histories is held out: it stops the RatingPredictor's training and, with
    preferences fitted without these users, the blend is learned on it.

    Args:
        dataset: Movies and ratings.
        config: Parameters of the training.
        seed: Of all draws.
        on_epoch: Called after each epoch with its number and metrics (`loss`, `rmse`, `mae`).

    Raises:
        DataError: There is no rating.
    """
    if not len(dataset):
        raise DataError("no ratings: a neural model needs at least one")
    with threadpool_limits(1):  # more threads change sums, and with them the model
        return _fit(dataset, config, seed, on_epoch)


def _fit(dataset: Dataset, config: NeuralConfig, seed: int, on_epoch: OnEpoch) -> Neural:
    rows = RatingRows.of(dataset)
    assembly = NeuralAssembly.of(dataset.movies, rows, config, seed)
    hidden, users = hold_out_ratings(rows, config.long_history, config.validation_share, seed)
    cases, owners = _validation_cases(rows, hidden, users, config.max_cases, seed)
    content = assembly.content()
    with (
        fit_rating_predictor(rows, hidden, content, config.network, seed, on_epoch) as ratings,
        ThreadPoolExecutor(1) as executor,
    ):
        # The networks that serve may be trained in other processes meanwhile: wait for them last.
        fitting = executor.submit(assembly.fit_preferences, rows)
        drawn = draw_evidence(rows, users, cases, owners, config.sizes) if cases else None
        blend, learned = _learn_blend(assembly, rows, users, (drawn, cases), ratings.trained)
        preferences, served = fitting.result(), ratings.served()
    model = assembly.assemble(preferences, served)
    trend = served_trend(learned, rows, len(dataset.movies))
    model = replace(
        model,
        blend=model.blend if blend is None else blend,
        scorers=replace(model.scorers, trend=trend),
        confidence=ratings.confidence,
        science_files=data_science_artifacts(dataset, rows, model, served),
    )
    histories = draw_users(rows, model.base.movie_ids, (_SHOWN_SHARE,), seed)
    return replace(model, base=fit_exposure_thresholds(model, histories))


def _validation_cases(
    rows: RatingRows, hidden: Mask, users: Ints, limit: int, seed: int
) -> tuple[list[FoldIn], Ints]:
    """Return fold-ins of the users, at most `limit`, whose `hidden` likes are to be found.

    With the user of each.
    """
    ratings = RatingSplit.of(rows, ~hidden, hidden)
    cases = [(fold_in_of(ratings, user), user) for user in users.tolist()]
    cases = sample_fold_ins([pair for pair in cases if len(pair[0].held_out)], limit, seed)
    return [case for case, _ in cases], np.array([user for _, user in cases], np.int64)


def _learn_blend(
    assembly: NeuralAssembly,
    rows: RatingRows,
    users: Ints,
    validation: tuple[EvidenceDraw | None, Sequence[FoldIn]],
    trained: TrainedNetwork,
) -> tuple[NeuralBlend | None, PastTrends | None]:
    """Return the blend learned on fold-ins by a model fitted without `users`; None: no fold-in.

    With the trend of recent popularity in it, if there is one.
    """
    drawn, cases = validation
    if drawn is None:
        return None, None
    others = rows.of_users(np.setdiff1d(np.arange(len(rows)), users))
    model = assembly.assemble(assembly.fit_preferences(others), trained)
    order = fit_order_likelihood(others, assembly.seed)
    hidden_rows = assembly.hidden_rows(model)
    is_used = TREND not in assembly.config.without
    trends = past_trends(others, len(assembly.movies)) if is_used else ()
    return learn_blend(model, drawn, cases, hidden_rows, assembly.config, order, trends)
