"""Training of the RatingPredictor: what is held out for what, the network, how sure it may be."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from marquee.arrays import Mask, Matrix
from marquee.features.interactions import RatingRows
from neural.confidence import Confidence
from neural.training.calibration import calibrate
from neural.training.ensembling import averaged, averaged_movies
from neural.training.epochs import NetworkConfig, OnEpoch, Trained, described_by, train
from neural.training.holdout import set_aside
from neural.training.rating_split import RatingSplit, only
from neural.training.worker_processes import TrainingJob, networks


@dataclass(frozen=True, eq=False)
class RatingFit:
    """`trained` has not seen what was held out, what `served` returns has: it waits for that.

    `confidence` is of the former.
    """

    trained: Trained
    served: Callable[[], Trained]
    confidence: Confidence


@contextlib.contextmanager
def fit_ratings(
    rows: RatingRows,
    hidden: Mask,
    content: Matrix,
    config: NetworkConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> Iterator[RatingFit]:
    """Yield the network trained on `rows` but for those `hidden`, which choose its best epoch.

    Half of these, and all ratings of some users and of some movies, are left to the confidence.
    Then all ratings teach further networks for as many epochs, and their mean serves; or, where
    the users are many, they only describe the movies of the first. These may be trained while the
    caller goes on; they have to be waited for within the context.
    """
    unseen = set_aside(rows, hidden, len(content), config.confidence_share, seed)
    away = unseen.ratings(rows)
    if (hidden | away).all():
        away = unseen.asked
    rated = RatingSplit(only(rows, ~(hidden | away)), only(rows, hidden & ~away))
    apart = len(rows) <= config.trained_again and len(rows.movies) >= config.apart
    seeds = range(seed, seed + config.networks)
    with networks(TrainingJob(rows, content, config), seeds, None if apart else 1) as again:
        trained = train(rated, content, config, seed, on_epoch)
        again.begin(trained)
        cold = trained.predictor.movies(content)
        confidence = calibrate(rows, unseen, trained, cold, seed)

        def served() -> Trained:
            if len(rows) > config.trained_again:
                return described_by(trained, rows, content, config)
            return _mean_of(again.wait(trained))

        yield RatingFit(trained, served, confidence)


def _mean_of(networks: Sequence[Trained]) -> Trained:
    """Return the networks as one; its state holds theirs too, each under its number."""
    predictor = averaged([one.predictor for one in networks])
    state = {name: torch.from_numpy(weights) for name, weights in predictor.weights.items()}
    for number, one in enumerate(networks):
        state |= {f"{number}.{name}": weights for name, weights in one.state.items()}
    movies = averaged_movies([one.movies for one in networks])
    return replace(networks[0], predictor=predictor, movies=movies, state=state)
