"""Training of the RatingPredictor: batches, caps, the second training, what numpy makes of it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

pytestmark = pytest.mark.trainer
torch = pytest.importorskip("torch")

from marquee.features.interactions import RatingRows  # noqa: E402
from marquee_testing import checkerboard  # noqa: E402
from neural.confidence import Confidence  # noqa: E402
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor  # noqa: E402
from neural.training.batches import draw_batch  # noqa: E402
from neural.training.config import NetworkConfig  # noqa: E402
from neural.training.epochs import TrainedNetwork, train  # noqa: E402
from neural.training.holdout import hold_out_ratings  # noqa: E402
from neural.training.network import RatingNetwork  # noqa: E402
from neural.training.rating_predictor import fit_rating_predictor  # noqa: E402
from neural.training.rating_split import RatingSplit, select_ratings  # noqa: E402
from neural.training.rating_statistics import fit_rating_statistics  # noqa: E402

SMALL = NetworkConfig(
    d=4, hidden=8, epochs=6, users_per_batch=16, embedding_pull=60.0, confidence_share=0.1
)
CONTENT = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)


def ignore(epoch: int, measures: dict[str, float]) -> None:
    """Log nothing."""


def all_rows() -> RatingRows:
    return RatingRows.of(checkerboard(users=120))


@dataclass(frozen=True)
class Fitted:
    trained: TrainedNetwork
    served: TrainedNetwork
    confidence: Confidence


def fitted(seed: int = 0, **settings: object) -> Fitted:
    rows = all_rows()
    hidden, _ = hold_out_ratings(rows, 8, 0.2, seed)
    config = SMALL.model_copy(update=settings)
    with fit_rating_predictor(rows, hidden, CONTENT, config, seed, ignore) as fit:
        return Fitted(fit.trained, fit.served(), fit.confidence)


def test_a_step_repeats_some_users_with_fewer_ratings_shown() -> None:
    rows, users = all_rows(), np.arange(40)
    config = SMALL.model_copy(update={"short_rows": 0.5})
    batch = draw_batch(rows, users, config, np.random.default_rng(1))
    shown = np.bincount(batch.owners.numpy(), batch.shown.numpy(), batch.size)
    sizes = np.bincount(batch.owners.numpy(), minlength=batch.size)
    assert 45 < batch.size < 75
    assert np.array_equal(shown[:40], sizes[:40])
    assert np.array_equal(sizes[:40], rows.sizes[:40])
    assert (shown[40:] < sizes[40:]).mean() > 0.5
    again = set(batch.users.numpy()[batch.owners.numpy() >= 40].tolist())
    assert again <= set(range(40))


def test_a_cold_target_is_predicted_from_content_alone() -> None:
    """Torch predicts it once more as numpy predicts a movie that nobody rated."""
    torch.manual_seed(1)
    rows = all_rows()
    statistics = fit_rating_statistics(rows, 24)
    network = RatingNetwork(rows, CONTENT, statistics, 4, 8, 0.2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.eval()
    config = SMALL.model_copy(update={"short_rows": 0, "cold_movies": 1.0})
    batch = draw_batch(rows, np.array([3]), config, np.random.default_rng(0))
    batch = replace(batch, own=torch.zeros_like(batch.own))
    with torch.no_grad():
        _, cold = network(batch)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    predictor = RatingPredictor(weights, statistics.mean)
    movies, half_stars = rows.of_user(3)
    user = predictor.user(movies, (half_stars / 2).astype(np.float32), statistics.biases[movies])
    zeros = np.zeros(len(movies), np.float32)
    new = NetworkMovieVectors(predictor.movies(CONTENT[movies]), zeros, zeros, zeros)
    assert np.abs(predictor.predict(user, new) - cold.numpy()).max() < 1e-4


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    first, again, other = fitted(), fitted(), fitted(seed=1)
    for name, weights in first.served.state.items():
        assert torch.equal(weights, again.served.state[name])
    assert first.confidence == again.confidence
    assert not torch.equal(
        first.served.state["joint.0.weight"], other.served.state["joint.0.weight"]
    )


def test_a_second_training_sees_the_ratings_held_out_and_lasts_as_long() -> None:
    fit = fitted()
    rows = all_rows()
    assert fit.served.statistics.counts.sum() == len(rows.movies)
    assert fit.trained.statistics.counts.sum() < len(rows.movies)
    assert fit.served.epoch == fit.trained.epoch
    assert fit.served.predictor.d == 2 * fit.trained.predictor.d
    assert len(fit.served.users) == len(rows)


def test_beyond_the_limit_the_held_out_ratings_only_describe_movies() -> None:
    fit = fitted(max_ratings_again=100)
    assert fit.served.state is fit.trained.state
    assert fit.served.statistics.counts.sum() == len(all_rows().movies)
    rated = fit.trained.statistics.counts == 0
    assert rated.any()
    assert np.abs(fit.served.movies.vectors - fit.trained.movies.vectors)[rated].max() > 0


def test_a_cap_draws_the_users_and_keeps_the_statistics_of_all() -> None:
    fit = fitted(max_ratings_again=0, max_users=30)
    assert len(fit.served.users) == 30
    assert fit.served.state["films.value.weight"].shape[0] == 30
    assert fit.served.statistics.counts.sum() == len(all_rows().movies)
    assert np.isfinite(fit.served.movies.vectors).all()


def test_many_users_get_fewer_epochs() -> None:
    """120 users in batches of 16 are 8 steps an epoch; a third one would begin after the 12th."""
    rows, told = all_rows(), list[int]()

    def tell(epoch: int, measures: dict[str, float]) -> None:  # noqa: ARG001
        told.append(epoch)

    rated = RatingSplit(rows, select_ratings(rows, np.zeros(len(rows.movies), bool)))
    train(rated, CONTENT, SMALL.model_copy(update={"max_steps": 12}), 0, tell)
    assert told == [0, 1]


def test_the_best_epoch_is_kept() -> None:
    rows, told = all_rows(), dict[int, float]()

    def tell(epoch: int, measures: dict[str, float]) -> None:
        told[epoch] = measures["rmse"]

    hidden, _ = hold_out_ratings(rows, 8, 0.2, 0)
    rated = RatingSplit(select_ratings(rows, ~hidden), select_ratings(rows, hidden))
    best = train(rated, CONTENT, SMALL, 0, tell)
    assert best.metrics["rmse"] == min(told.values())
    assert told[best.epoch] == min(told.values())


def test_a_longer_training_pulls_less_at_each_step() -> None:
    """Six epochs of half the batch size decay the embeddings as much as six of the whole."""
    longer = fitted(users_per_batch=8).trained.state["films.own.weight"]
    shorter = fitted().trained.state["films.own.weight"]
    assert 0.3 < float(longer.norm() / shorter.norm()) < 3
