"""Trains the RatingPredictor; the best epoch by the ratings held out is kept."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field

from marquee.arrays import Matrix
from marquee.features.interactions import RatingRows
from neural.rating_biases import Statistics, statistics_of
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor
from neural.training.network import Batch, RatingNetwork
from neural.training.rating_split import RatingSplit, only

MAX_JUDGED = 2000
"""Users whose held-out ratings judge an epoch: more of them say the same."""

OnEpoch = Callable[[int, dict[str, float]], None]
"""Told after each epoch: its number from 0, and its measures by name."""


class NetworkConfig(BaseModel):
    """Sizes of the RatingPredictor, and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    d: int = Field(32, ge=1)
    hidden: int = Field(64, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(20, ge=1)
    max_steps: int = Field(1000, ge=1)
    """Steps after which no further epoch begins: many users need fewer epochs."""
    patience: int = Field(12, ge=1)
    """Epochs without a better one after which training ends."""
    users_per_batch: int = Field(64, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    decay: float = Field(0.05, ge=0)
    embedding_pull: float = Field(2400.0, ge=0)
    """Decay of the embeddings times the steps of a training: many steps pull less at each."""
    short_rows: float = Field(0.5, ge=0, le=1)
    """Share of users whom a step takes once more, with few ratings, as if they were new."""
    cold_movies: float = Field(0.4, ge=0, le=1)
    """Share of targets that a step predicts once more, as if their movie was new."""
    unknown_movies: float = Field(0.1, ge=0, le=1)
    """Share of targets whose movie's own embedding is off."""
    confidence_share: float = Field(0.05, ge=0, lt=1)
    """Share of users, and of movies, that are not trained on: the confidence is fitted on them."""
    trained_again: int = Field(2500, ge=0)
    """With no more users than this, further networks learn from the ratings held out as well."""
    networks: int = Field(2, ge=1)
    """How many these are: the mean of their ratings serves."""
    apart: int = Field(50_000, ge=0)
    """Ratings from which on these are trained side by side: a process takes seconds to start."""
    max_users: int = Field(12_000, ge=1)
    """Users drawn to train on where there are more; statistics of movies are of all ratings."""


@dataclass(frozen=True, eq=False)
class Trained:
    """The weights after an epoch, in numpy and as torch's state, and all movies' vectors.

    `users`: rows of those whose ratings trained it, in the order of the network's own tables.
    """

    predictor: RatingPredictor
    statistics: Statistics
    movies: NetworkMovieVectors
    state: dict[str, torch.Tensor]
    measures: dict[str, float]
    users: npt.NDArray[np.int64]
    epoch: int


def train(
    rated: RatingSplit, content: Matrix, config: NetworkConfig, seed: int, on_epoch: OnEpoch
) -> Trained:
    """Return the network trained on the ratings shown, over movies with `content` (i × c)."""
    best: Trained | None = None
    for trained in _epochs(rated, content, config, seed):
        on_epoch(trained.epoch, trained.measures)
        if best is None or trained.measures["rmse"] <= best.measures["rmse"]:
            best = trained
        if trained.epoch - best.epoch >= config.patience:
            break
    assert best is not None
    return best


def train_again(
    epoch: int, rows: RatingRows, content: Matrix, config: NetworkConfig, seed: int
) -> Trained:
    """Return the network after an epoch, from 0, of a training on all `rows`."""
    nothing = only(rows, np.zeros(len(rows.movies), bool))
    epochs = _epochs(RatingSplit(rows, nothing), content, config, seed)
    return next(one for one in epochs if one.epoch == epoch)


def _epochs(
    rated: RatingSplit, content: Matrix, config: NetworkConfig, seed: int
) -> Iterator[Trained]:
    """Yield the network after each epoch."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    statistics = statistics_of(rated.shown, len(content))
    users = _sample(rated.shown, config.max_users, rng)
    rows = rated.shown.of_users(users)
    network = _network(rows, content, statistics.of_users(users), config)
    batches = -(-len(users) // config.users_per_batch)
    epochs = min(config.epochs, -(-config.max_steps // batches))
    optimizer, schedule = _optimizer(network, config, batches * epochs)
    for epoch in range(epochs):
        loss = 0.0
        for part in np.array_split(rng.permutation(len(users)), batches):
            loss += _step(network, draw_batch(rows, part, config, rng), optimizer)
            schedule.step()
        yield _judge(network, statistics, rated, users, epoch, loss / batches)


def described_by(
    trained: Trained, rows: RatingRows, content: Matrix, config: NetworkConfig
) -> Trained:
    """Return the same weights with all movies' vectors and statistics from `rows`.

    These may hold ratings that the training did not see, of users or movies new to it too.
    """
    statistics = statistics_of(rows, len(content))
    known = statistics.of_users(trained.users)
    network = _network(rows.of_users(trained.users), content, known, config)
    network.load_state_dict(trained.state)
    movies = _movies(network, statistics)
    predictor = replace(trained.predictor, mean=statistics.mean)
    return replace(trained, predictor=predictor, statistics=statistics, movies=movies)


def _sample(rows: RatingRows, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    users = np.flatnonzero(rows.sizes > 0)
    return users if len(users) <= most else np.sort(rng.permutation(users)[:most])


def _network(
    rows: RatingRows, content: Matrix, statistics: Statistics, config: NetworkConfig
) -> RatingNetwork:
    return RatingNetwork(rows, content, statistics, config.d, config.hidden, config.dropout)


def draw_batch(
    rows: RatingRows,
    users: npt.NDArray[np.int64],
    config: NetworkConfig,
    rng: np.random.Generator,
) -> Batch:
    """Return a step's batch: all rows, some once more with few ratings shown, some movies as new."""
    short = users[rng.random(len(users)) < config.short_rows]
    part = rows.of_users(np.concatenate([users, short]))
    owners, m = part.owners, len(part.movies)
    keep = np.ones(len(part.sizes))
    sizes = np.maximum(part.sizes[len(users) :], 1).astype(float)
    keep[len(users) :] = sizes ** -rng.random(len(short))  # log-uniform: from 1 rating to all
    return Batch(
        size=len(part.sizes),
        owners=torch.from_numpy(owners),
        users=torch.from_numpy(np.concatenate([users, short])[owners]),
        movies=torch.from_numpy(part.movies),
        stars=_column(part.half_stars / 2),
        shown=_column(rng.random(m) < keep[owners]),
        own=torch.ones(m),
        known=_column(rng.random(m) >= config.unknown_movies),
        cold=torch.from_numpy(np.flatnonzero(rng.random(m) < config.cold_movies)),
    )


def _column(values: npt.NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _optimizer(
    network: RatingNetwork, config: NetworkConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    tables = {
        id(module.weight) for module in network.modules() if isinstance(module, torch.nn.Embedding)
    }
    groups = [
        {"params": [p for p in network.parameters() if id(p) in tables],
         "weight_decay": config.embedding_pull / steps},
        {"params": [p for p in network.parameters() if id(p) not in tables],
         "weight_decay": config.decay},
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    warm = max(1, steps // 20)

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return float(0.02 + 0.49 * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm))))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def _step(network: RatingNetwork, batch: Batch, optimizer: torch.optim.Optimizer) -> float:
    network.train()
    optimizer.zero_grad()
    warm, cold = network(batch)
    squares = (warm - batch.stars).square().sum() + (cold - batch.stars[batch.cold]).square().sum()
    loss = squares / (len(warm) + len(cold))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def _judge(
    network: RatingNetwork,
    statistics: Statistics,
    rated: RatingSplit,
    users: npt.NDArray[np.int64],
    epoch: int,
    loss: float,
) -> Trained:
    movies = _movies(network, statistics)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predictor = RatingPredictor({name: t.numpy() for name, t in state.items()}, statistics.mean)
    errors = errors_of(predictor, movies, statistics, rated)
    measures = {
        "loss": loss,
        "rmse": float(np.sqrt(np.mean(errors**2))) if len(errors) else loss**0.5,
        "mae": float(np.abs(errors).mean()) if len(errors) else loss**0.5,
    }
    return Trained(predictor, statistics, movies, state, measures, users, epoch)


def _movies(network: RatingNetwork, statistics: Statistics) -> NetworkMovieVectors:
    network.eval()
    with torch.no_grad():
        table = network.movie_table().numpy()
        corrections = network.correction.weight.numpy()[:, 0].copy()
    return movie_vectors(table, statistics, corrections)


def movie_vectors(
    table: Matrix, statistics: Statistics, corrections: Matrix
) -> NetworkMovieVectors:
    """Return the movies as the joint layers take them; unrated ones have no correction."""
    rated = statistics.counts > 0
    return NetworkMovieVectors(
        table, statistics.biases, np.where(rated, corrections, 0), np.log1p(statistics.counts)
    )


def errors_of(
    predictor: RatingPredictor,
    movies: NetworkMovieVectors,
    statistics: Statistics,
    rated: RatingSplit,
) -> npt.NDArray[np.float64]:
    """Return prediction - rating of the held-out ratings, of at most `MAX_JUDGED` users."""
    errors = [np.zeros(0)]
    for user in np.flatnonzero(rated.held_out.sizes)[:MAX_JUDGED].tolist():
        rows, half_stars = rated.shown.of_user(user)
        described = predictor.user(
            rows, (half_stars / 2).astype(np.float32), statistics.biases[rows]
        )
        targets, truth = rated.held_out.of_user(user)
        predicted = predictor.predict(described, movies.of(targets))
        errors.append(np.clip(predicted, 0.5, 5) - truth / 2)
    return np.concatenate(errors)
