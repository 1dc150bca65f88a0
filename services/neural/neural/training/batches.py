"""Batches of the RatingPredictor's training: rows of users, some cut short or made cold."""

import numpy as np
import numpy.typing as npt
import torch

from marquee.arrays import Ints
from marquee.features.interactions import RatingRows
from neural.training.config import NetworkConfig
from neural.training.network import RatingBatch


def draw_batch(
    rows: RatingRows, users: Ints, config: NetworkConfig, rng: np.random.Generator
) -> RatingBatch:
    """Return a step's batch: all ratings of `users`, and some users once more with few shown.

    The repeated rows teach the network to serve new users, the cold targets new movies.
    """
    short = users[rng.random(len(users)) < config.short_rows]
    batch_users = np.concatenate([users, short])
    part = rows.of_users(batch_users)
    owners, m = part.owners, len(part.movies)
    share = np.ones(len(part.sizes))
    sizes = np.maximum(part.sizes[len(users) :], 1).astype(float)
    share[len(users) :] = sizes ** -rng.random(len(short))  # log-uniform: from 1 rating to all
    return RatingBatch(
        size=len(part.sizes),
        owners=torch.from_numpy(owners),
        users=torch.from_numpy(batch_users[owners]),
        movies=torch.from_numpy(part.movies),
        stars=_tensor(part.half_stars / 2),
        shown=_tensor(rng.random(m) < share[owners]),
        own=torch.ones(m),
        known=_tensor(rng.random(m) >= config.unknown_movies),
        cold=torch.from_numpy(np.flatnonzero(rng.random(m) < config.cold_movies)),
    )


def _tensor(values: npt.NDArray[np.generic]) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))
