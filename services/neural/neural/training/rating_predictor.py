"""Fit of the RatingPredictor: early-stopped training, calibration, and the ensemble that serves."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from marquee.arrays import Mask, Matrix
from marquee.features.interactions import RatingRows
from neural.confidence import Confidence
from neural.training.calibration import calibrate
from neural.training.config import NetworkConfig
from neural.training.ensembling import ensemble, ensemble_movies
from neural.training.epochs import OnEpoch, TrainedNetwork, train, with_movies_of
from neural.training.holdout import draw_calibration_holdout
from neural.training.rating_split import RatingSplit
from neural.training.worker_processes import TrainingJob, training_pool


@dataclass(frozen=True, eq=False)
class RatingFit:
    """The fitted networks and their confidence.

    Attributes:
        trained: The early-stopped network, which has not seen the held-out ratings.
        served: Waits for the network that serves, which has seen all ratings, and returns it.
        confidence: Calibrated on predictions of `trained`.
    """

    trained: TrainedNetwork
    served: Callable[[], TrainedNetwork]
    confidence: Confidence


@contextlib.contextmanager
def fit_rating_predictor(
    rows: RatingRows,
    hidden: Mask,
    content: Matrix,
    config: NetworkConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> Iterator[RatingFit]:
    """Train a network, calibrate it, and yield it while the networks that serve are trained.

    Half of the `hidden` ratings, and all ratings of some users and of some movies, are left to the
    calibration; the other half chooses the best epoch. Then further networks learn from all ratings
    for as many epochs, and their ensemble serves; or, where that costs much, the first network
    serves, and all ratings only describe the movies to it. `RatingFit.served` has to be called
    within the context.

    Args:
        rows: All ratings.
        hidden: Ratings not to train the first network on, a mask over all.
        content: Encoded content of all movies, i × c.
        config: Sizes and schedule.
        seed: Of all draws; further networks have the seeds from it on.
        on_epoch: Called after each epoch of the first network.
    """
    holdout = draw_calibration_holdout(rows, hidden, len(content), config.confidence_share, seed)
    calibration = holdout.mask(rows)
    if (hidden | calibration).all():  # few ratings: nothing would be left to train on
        calibration = holdout.single
    ratings = RatingSplit.of(rows, ~(hidden | calibration), hidden & ~calibration)
    is_ensemble = config.is_trained_again(len(rows), len(rows.movies))
    max_workers = None if is_ensemble and len(rows.movies) >= config.apart else 1
    seeds = range(seed, seed + config.networks)
    with training_pool(TrainingJob(rows, content, config), seeds, max_workers) as pool:
        trained = train(ratings, content, config, seed, on_epoch)
        pool.start(trained)
        cold = trained.predictor.movies(content)
        confidence = calibrate(rows, holdout, trained, cold, seed)

        def served() -> TrainedNetwork:
            if is_ensemble:
                return _ensemble(pool.join(trained))
            return with_movies_of(trained, rows, content, config)

        yield RatingFit(trained, served, confidence)


def _ensemble(networks: Sequence[TrainedNetwork]) -> TrainedNetwork:
    """Return the networks as one; its state holds theirs too, each under its number."""
    predictor = ensemble([network.predictor for network in networks])
    state = {name: torch.from_numpy(weights) for name, weights in predictor.weights.items()}
    for number, network in enumerate(networks):
        state |= {f"{number}.{name}": weights for name, weights in network.state.items()}
    movies = ensemble_movies([network.movies for network in networks])
    return replace(networks[0], predictor=predictor, movies=movies, state=state)
