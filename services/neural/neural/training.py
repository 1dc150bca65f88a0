"""Trains the RatingPredictor; the best epoch by the ratings held out is kept."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field

from marquee.rating_rows import RatingRows
from neural.network import Batch, RatingNetwork
from neural.predictor import FilmVectors, Matrix, Predictor
from neural.statistics import Statistics, statistics_of

OnEpoch = Callable[[int, dict[str, float]], None]
"""Told after each epoch: its number from 0, and its measures by name."""


class NetworkConfig(BaseModel):
    """Sizes of the RatingPredictor, and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    d: int = Field(32, ge=1)
    hidden: int = Field(64, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(20, ge=1)
    patience: int = Field(12, ge=1)
    """Epochs without a better one after which training ends."""
    viewers_per_batch: int = Field(64, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    decay: float = Field(0.05, ge=0)
    embedding_decay: float = Field(22.0, ge=0)
    short_rows: float = Field(0.2, ge=0, le=1)
    """Share of viewers of whom a step shows few ratings, as of a new viewer."""
    cold_films: float = Field(0.1, ge=0, le=1)
    """Share of targets whose film a step treats as new."""
    unknown_films: float = Field(0.1, ge=0, le=1)
    """Share of targets whose film's own embedding is off."""


@dataclass(frozen=True, eq=False)
class Rated:
    """What training and validation know: ratings shown, and held-out ones of the same viewers."""

    shown: RatingRows
    held_out: RatingRows


@dataclass(frozen=True, eq=False)
class Trained:
    """The weights of the best epoch, in numpy and as torch's state, and all films' vectors."""

    predictor: Predictor
    statistics: Statistics
    films: FilmVectors
    state: dict[str, torch.Tensor]
    measures: dict[str, float]


def train(
    rated: Rated, content: Matrix, config: NetworkConfig, seed: int, on_epoch: OnEpoch
) -> Trained:
    """Return the network trained on the ratings shown, over films with `content` (i × c)."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    statistics = statistics_of(rated.shown, len(content))
    network = RatingNetwork(
        rated.shown, content, statistics, config.d, config.hidden, config.dropout
    )
    viewers = np.flatnonzero(rated.shown.sizes > 0)
    batches = -(-len(viewers) // config.viewers_per_batch)
    optimizer, schedule = _optimizer(network, config, batches * config.epochs)
    best: Trained | None = None
    since = 0
    for epoch in range(config.epochs):
        loss = 0.0
        for part in np.array_split(rng.permutation(viewers), batches):
            loss += _step(network, draw_batch(rated.shown, part, config, rng), optimizer)
            schedule.step()
        trained = _judge(network, statistics, rated, loss / batches)
        on_epoch(epoch, trained.measures)
        since += 1
        if best is None or trained.measures["rmse"] <= best.measures["rmse"]:
            best, since = trained, 0
        if since >= config.patience:
            break
    assert best is not None
    return best


def draw_batch(
    rows: RatingRows,
    viewers: npt.NDArray[np.int64],
    config: NetworkConfig,
    rng: np.random.Generator,
) -> Batch:
    """Return a step's batch: some rows shortened, some films new, some without their embedding."""
    part = rows.of_users(viewers)
    owners, m = part.owners, len(part.films)
    keep = np.power(np.maximum(part.sizes, 1).astype(float), -rng.random(len(viewers)))
    keep[rng.random(len(viewers)) >= config.short_rows] = 1.0
    cold = rng.random(m) < config.cold_films
    known = ~cold & (rng.random(m) >= config.unknown_films)
    return Batch(
        len(viewers),
        torch.from_numpy(owners),
        torch.from_numpy(viewers[owners]),
        torch.from_numpy(part.films),
        *(
            torch.from_numpy(column.astype(np.float32))
            for column in (
                part.half_stars / 2, rng.random(m) < keep[owners], np.ones(m), cold, known,
            )
        ),
    )  # fmt: skip


def _optimizer(
    network: RatingNetwork, config: NetworkConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    tables = {
        id(module.weight) for module in network.modules() if isinstance(module, torch.nn.Embedding)
    }
    groups = [
        {"params": [p for p in network.parameters() if id(p) in tables],
         "weight_decay": config.embedding_decay},
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
    loss = torch.nn.functional.mse_loss(network(batch), batch.stars)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def _judge(network: RatingNetwork, statistics: Statistics, rated: Rated, loss: float) -> Trained:
    network.eval()
    with torch.no_grad():
        table = network.film_table().numpy()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predictor = Predictor({name: t.numpy() for name, t in state.items()}, statistics.mean)
    films = film_vectors(table, statistics, state["correction.weight"].numpy()[:, 0])
    errors = _errors(predictor, films, statistics, rated)
    measures = {
        "loss": loss,
        "rmse": float(np.sqrt(np.mean(errors**2))) if len(errors) else loss**0.5,
        "mae": float(np.abs(errors).mean()) if len(errors) else loss**0.5,
    }
    return Trained(predictor, statistics, films, state, measures)


def film_vectors(table: Matrix, statistics: Statistics, corrections: Matrix) -> FilmVectors:
    """Return the films as the joint layers take them; unrated ones have no correction."""
    rated = statistics.counts > 0
    return FilmVectors(
        table, statistics.biases, np.where(rated, corrections, 0), np.log1p(statistics.counts)
    )


def _errors(
    predictor: Predictor, films: FilmVectors, statistics: Statistics, rated: Rated
) -> npt.NDArray[np.float64]:
    """Return prediction - rating of all held-out ratings."""
    errors = [np.zeros(0)]
    for user in np.flatnonzero(rated.held_out.sizes):
        rows, half_stars = rated.shown.of_user(int(user))
        viewer = predictor.viewer(
            rows, (half_stars / 2).astype(np.float32), statistics.biases[rows]
        )
        targets, truth = rated.held_out.of_user(int(user))
        some = FilmVectors(
            films.vectors[targets], films.biases[targets],
            films.corrections[targets], films.log_counts[targets],
        )  # fmt: skip
        errors.append(np.clip(predictor.predict(viewer, some), 0.5, 5) - truth / 2)
    return np.concatenate(errors)
