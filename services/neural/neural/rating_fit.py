"""Training of the RatingPredictor: what is held out for what, the network, how sure it may be."""

from dataclasses import dataclass

from marquee.rating_rows import RatingRows
from neural.calibration import calibrate
from neural.confidence import Confidence
from neural.held_out import set_aside
from neural.predictor import Matrix
from neural.rated import Mask, Rated, only
from neural.training import NetworkConfig, OnEpoch, Trained, described_by, train, train_again


@dataclass(frozen=True, eq=False)
class RatingFit:
    """`trained` has not seen what was held out, `served` has; `confidence` is of the former."""

    trained: Trained
    served: Trained
    confidence: Confidence


def fit_ratings(
    rows: RatingRows,
    hidden: Mask,
    content: Matrix,
    config: NetworkConfig,
    seed: int,
    on_epoch: OnEpoch,
) -> RatingFit:
    """Return the network trained on `rows` but for those `hidden`, which choose its best epoch.

    Half of these, and all ratings of some viewers and of some films, are left to the confidence.
    Then all ratings teach as many epochs; or, where the viewers are many, describe the films.
    """
    unseen = set_aside(rows, hidden, len(content), config.confidence_share, seed)
    away = unseen.ratings(rows)
    if (hidden | away).all():
        away = unseen.asked
    rated = Rated(only(rows, ~(hidden | away)), only(rows, hidden & ~away))
    trained = train(rated, content, config, seed, on_epoch)
    cold = trained.predictor.films(content)
    confidence = calibrate(rows, unseen, trained, cold, seed)
    if len(rows) <= config.trained_again:
        return RatingFit(trained, train_again(trained, rows, content, config, seed), confidence)
    return RatingFit(trained, described_by(trained, rows, content, config), confidence)
