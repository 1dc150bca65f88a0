"""Training loop of the RatingPredictor: AdamW with early stopping on held-out ratings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from marquee.arrays import Ints, Matrix, Reals, Vector
from marquee.features.interactions import RatingRows
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor
from neural.training.batches import draw_batch
from neural.training.config import NetworkConfig
from neural.training.network import RatingBatch, RatingNetwork
from neural.training.rating_split import RatingSplit, select_ratings
from neural.training.rating_statistics import RatingStatistics, fit_rating_statistics

MAX_EVALUATED_USERS = 2000
"""Users whose held-out ratings an epoch is evaluated on: more of them change its RMSE little."""

OnEpoch = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number, from 0, and its metrics by name."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """The network after an epoch.

    Attributes:
        predictor: The weights in numpy.
        statistics: Biases and counts of all movies.
        movies: Vectors of all movies.
        state: The weights as torch's state; it shares memory with those of `predictor`.
        metrics: `loss` of the epoch, `rmse` and `mae` of the held-out ratings.
        users: Rows of the users trained on, in the order of the network's own tables.
        epoch: Number of the epoch, from 0.
    """

    predictor: RatingPredictor
    statistics: RatingStatistics
    movies: NetworkMovieVectors
    state: dict[str, torch.Tensor]
    metrics: dict[str, float]
    users: Ints
    epoch: int


def train(
    ratings: RatingSplit, content: Matrix, config: NetworkConfig, seed: int, on_epoch: OnEpoch
) -> TrainedNetwork:
    """Return the network after its best epoch, by the RMSE of the held-out ratings.

    Args:
        ratings: The ratings to train on, and those that choose the epoch.
        content: Encoded content of all movies, i × c.
        config: Sizes and schedule.
        seed: Of torch's and numpy's random numbers.
        on_epoch: Called after each epoch.
    """
    best: TrainedNetwork | None = None
    for trained in _epochs(ratings, content, config, seed):
        on_epoch(trained.epoch, trained.metrics)
        if best is None or trained.metrics["rmse"] <= best.metrics["rmse"]:
            best = trained
        if trained.epoch - best.epoch >= config.patience:
            break
    assert best is not None
    return best


def train_on_all(
    rows: RatingRows, content: Matrix, config: NetworkConfig, seed: int, epoch: int
) -> TrainedNetwork:
    """Return the network after `epoch` (from 0) of a training on all ratings."""
    nothing = select_ratings(rows, np.zeros(len(rows.movies), bool))
    epochs = _epochs(RatingSplit(rows, nothing), content, config, seed)
    return next(trained for trained in epochs if trained.epoch == epoch)


def _epochs(
    ratings: RatingSplit, content: Matrix, config: NetworkConfig, seed: int
) -> Iterator[TrainedNetwork]:
    """Yield the network after each epoch."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    statistics = fit_rating_statistics(ratings.shown, len(content))
    users = _draw_users(ratings.shown, config.max_users, rng)
    rows = ratings.shown.of_users(users)
    network = _network(rows, content, statistics.of_users(users), config)
    batches = -(-len(users) // config.users_per_batch)
    epochs = config.epochs_of(len(users))
    optimizer, schedule = _optimizer(network, config, batches * epochs)
    for epoch in range(epochs):
        loss = 0.0
        for part in np.array_split(rng.permutation(len(users)), batches):
            loss += _step(network, draw_batch(rows, part, config, rng), optimizer)
            schedule.step()
        yield _snapshot(network, statistics, ratings, users, epoch, loss / batches)


def with_movies_of(
    trained: TrainedNetwork, rows: RatingRows, content: Matrix, config: NetworkConfig
) -> TrainedNetwork:
    """Return the same weights with the movies' vectors and statistics computed from `rows`.

    These may hold ratings that the training did not see, of users or movies new to it too.
    """
    statistics = fit_rating_statistics(rows, len(content))
    trained_on = statistics.of_users(trained.users)
    network = _network(rows.of_users(trained.users), content, trained_on, config)
    network.load_state_dict(trained.state)
    movies = _movies(network, statistics)
    predictor = replace(trained.predictor, mean=statistics.mean)
    return replace(trained, predictor=predictor, statistics=statistics, movies=movies)


def _draw_users(rows: RatingRows, limit: int, rng: np.random.Generator) -> Ints:
    """Return the users with ratings, at most `limit` of them, in their order."""
    users = np.flatnonzero(rows.sizes > 0)
    return users if len(users) <= limit else np.sort(rng.permutation(users)[:limit])


def _network(
    rows: RatingRows, content: Matrix, statistics: RatingStatistics, config: NetworkConfig
) -> RatingNetwork:
    return RatingNetwork(rows, content, statistics, config.d, config.hidden, config.dropout)


def _optimizer(
    network: RatingNetwork, config: NetworkConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW (Loshchilov & Hutter 2019), and its warm-up with cosine decay."""
    tables = {
        id(module.weight) for module in network.modules() if isinstance(module, torch.nn.Embedding)
    }
    embeddings = [p for p in network.parameters() if id(p) in tables]
    layers = [p for p in network.parameters() if id(p) not in tables]
    groups = [
        {"params": embeddings, "weight_decay": config.embedding_pull / steps},
        {"params": layers, "weight_decay": config.decay},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    warm = max(1, steps // 20)

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return float(0.02 + 0.49 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm))))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def _step(network: RatingNetwork, batch: RatingBatch, optimizer: torch.optim.Optimizer) -> float:
    """Train on a batch, and return its mean squared error."""
    network.train()
    optimizer.zero_grad()
    warm, cold = network(batch)
    squares = (warm - batch.stars).square().sum() + (cold - batch.stars[batch.cold]).square().sum()
    loss = squares / (len(warm) + len(cold))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def _snapshot(
    network: RatingNetwork,
    statistics: RatingStatistics,
    ratings: RatingSplit,
    users: Ints,
    epoch: int,
    loss: float,
) -> TrainedNetwork:
    """Return a copy of the network with its metrics, from the loss without held-out ratings."""
    movies = _movies(network, statistics)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predictor = statistics.predictor({name: t.numpy() for name, t in state.items()})
    errors = _holdout_errors(predictor, movies, statistics, ratings)
    metrics = {
        "loss": loss,
        "rmse": float(np.sqrt(np.mean(errors**2))) if len(errors) else loss**0.5,
        "mae": float(np.abs(errors).mean()) if len(errors) else loss**0.5,
    }
    return TrainedNetwork(predictor, statistics, movies, state, metrics, users, epoch)


def _movies(network: RatingNetwork, statistics: RatingStatistics) -> NetworkMovieVectors:
    network.eval()
    with torch.no_grad():
        table = network.movie_table().numpy()
        corrections = network.correction.weight.numpy()[:, 0].copy()
    return movie_vectors(table, statistics, corrections)


def movie_vectors(
    table: Matrix, statistics: RatingStatistics, corrections: Vector
) -> NetworkMovieVectors:
    """Return the movies as the joint layers take them; unrated ones have no correction."""
    rated = statistics.counts > 0
    return NetworkMovieVectors(
        table, statistics.biases, np.where(rated, corrections, 0), np.log1p(statistics.counts)
    )


def _holdout_errors(
    predictor: RatingPredictor,
    movies: NetworkMovieVectors,
    statistics: RatingStatistics,
    ratings: RatingSplit,
) -> Reals:
    """Return prediction - rating of held-out ratings, of at most `MAX_EVALUATED_USERS` users."""
    errors = [np.zeros(0)]
    for user in np.flatnonzero(ratings.held_out.sizes)[:MAX_EVALUATED_USERS].tolist():
        rows, half_stars = ratings.shown.of_user(user)
        stars = (half_stars / 2).astype(np.float32)
        vector = predictor.user(rows, stars, statistics.biases[rows])
        targets, truth = ratings.held_out.of_user(user)
        predicted = predictor.predict(vector, movies.of(targets))
        errors.append(predictor.bounded(predicted) - truth / 2)
    return np.concatenate(errors)
