"""Training of the denoising autoencoder in numpy.

Each step shows a random part of each user's ratings and predicts the likes among the others with a
multinomial (softmax) loss over the movies not shown: Liang et al. 2018, Variational Autoencoders
for Collaborative Filtering, without the variational part.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Mask, Matrix
from marquee.features.interactions import RatingRows
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.training.scorers.adam import Adam
from marquee.training.scorers.autoencoder_compression import compress

_PRIOR = 0.3
"""Pseudo-likes of each movie in the prior that training starts from."""

_COMPRESSION_USERS = 5000
"""Users, a sample, whose layers the compression is fitted on."""
_COMPRESSION_DRAWS = 3
"""Fold-ins of each of them."""


class AutoencoderConfig(BaseModel):
    """Width of the hidden layer, and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(128, ge=2)
    epochs: int = Field(150, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    decay: float = Field(1.0, ge=0)
    dropout: float = Field(0.3, ge=0, lt=1)
    long_share: float = Field(0.3, ge=0, le=1)
    """Share of fold-ins whose size is uniform up to 90 % of a history; others are log-uniform."""
    time_share: float = Field(0.0, ge=0, le=1)
    """Share of fold-ins that are the first ratings in the order of time; others are random."""
    seen_share: float = Field(0.0, ge=0, lt=1)
    """Share of fold-ins shown as movies seen, ratings unknown; 0: there is no such channel."""
    condensed: int | None = Field(None, ge=1)
    """Dimensions of codes that the trained layer is compressed to; None: the layer is the code."""
    max_steps: int = Field(3000, ge=1)
    """Upper limit of steps: with many users fewer epochs suffice."""
    head: int = Field(10_000, ge=1)
    """Movies learned at most, those rated most often: a step compares them all with each other."""


def input_matrix(rows: RatingRows, movies: int) -> sparse.csr_matrix:
    """Return the inputs of whole histories, u × 2·movies: 1/√n in one of the two channels."""
    sizes = rows.sizes
    columns = rows.movies + np.where(rows.liked, 0, movies)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    return sparse.csr_matrix((values, columns, rows.starts), (len(rows), 2 * movies))


def encode(network: Autoencoder, rows: RatingRows) -> Matrix:
    """Return the codes, u × e, of whole histories."""
    inputs = network.inputs[: 2 * network.movies]
    return network.codes_of(np.tanh(input_matrix(rows, network.movies) @ inputs + network.bias))


def fit_autoencoder(
    rows: RatingRows, movies: int, config: AutoencoderConfig, seed: int
) -> Autoencoder:
    """Return the network trained on users' ratings of `movies` movies.

    The sizes of the parts shown are drawn as they occur in serving.
    """
    rng = np.random.default_rng(seed)
    network = _initial_network(rows, movies, config, rng)
    likes = np.bincount(rows.owners, rows.liked, len(rows))
    users = np.flatnonzero((likes > 0) & (rows.sizes > 1))
    if not len(users):  # nothing to learn: all users get the prior
        return replace(network, inputs=np.zeros_like(network.inputs), outputs=network.outputs * 0)
    batches = -(-len(users) // config.batch_size)
    steps = min(batches * config.epochs, config.max_steps)
    adam = Adam(_arrays(network), config.learning_rate, config.decay, steps)
    with threadpool_limits(1):
        for batch in islice(_batches(users, batches, rng), steps):
            adam.step(_gradients(network, rows, batch, config, rng))
    return network


def _batches(users: Ints, n: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Yield the users in n batches, in a new order each epoch, without end."""
    while True:
        yield from np.array_split(rng.permutation(users), n)


def learned_movies(sums: Ints, min_ratings: int, head: int) -> Mask:
    """Return a mask of the movies that an autoencoder learns, i.

    Args:
        sums: int64 i × 3: ratings, positive ratings, half stars.
        min_ratings: ratings that a movie needs; the maximum, where no movie has as many.
        head: limit; the movies rated most often are learned.
    """
    n = sums[:, 0]
    learned: Mask = n >= min(min_ratings, n.max(initial=0))
    if learned.sum() > head:
        learned = np.zeros(len(n), bool)
        learned[np.argsort(-n, kind="stable")[:head]] = True
    return learned


def fit_over_movies(
    rows: RatingRows, sums: Ints, min_ratings: int, config: AutoencoderConfig, seed: int
) -> Autoencoder:
    """Return the network over all movies, trained on `learned_movies` alone.

    Other movies get weights of 0, and the prior that training starts from.

    Args:
        rows: the users' ratings.
        sums: int64 i × 3: ratings, positive ratings, half stars of each movie.
        min_ratings: ratings that a movie needs to be learned.
        config: of the network.
        seed: of all random draws.
    """
    learned = np.flatnonzero(learned_movies(sums, min_ratings, config.head))
    small = fit_autoencoder(_rows_over(rows, learned, len(sums)), len(learned), config, seed)
    network = _expanded(small, learned, sums)
    if config.condensed is None:
        return network
    return compress(network, _sample_layers(network, rows, config, seed), sums, config.condensed)


def _rows_over(rows: RatingRows, movies: Ints, n_movies: int) -> RatingRows:
    """Return the ratings of some movies of n_movies, those movies numbered from 0."""
    index = np.full(n_movies, -1)
    index[movies] = np.arange(len(movies))
    keep = index[rows.movies] >= 0
    starts = np.concatenate([[0], np.cumsum(keep)])[rows.starts]
    return RatingRows(starts, index[rows.movies[keep]], rows.half_stars[keep])


def _expanded(small: Autoencoder, learned: Ints, sums: Ints) -> Autoencoder:
    """Return a network over the learned movies as one over all movies."""
    n, width = len(sums), len(small.bias)
    channels = len(small.inputs) // max(1, len(learned))
    inputs = np.zeros((channels * n, width), np.float32)
    inputs[np.concatenate([learned + c * n for c in range(channels)])] = small.inputs
    outputs = np.zeros((n, width), np.float32)
    outputs[learned] = small.outputs
    prior = np.log(sums[:, 1] + _PRIOR).astype(np.float32)
    prior[learned] = small.prior
    return Autoencoder(inputs, small.bias, outputs, prior)


def _sample_layers(
    network: Autoencoder, rows: RatingRows, config: AutoencoderConfig, seed: int
) -> Matrix:
    """Return the hidden layers, m × h, of random fold-ins of sampled users."""
    rng = np.random.default_rng(seed)
    users = np.sort(rng.permutation(len(rows))[:_COMPRESSION_USERS])
    sample = rows.of_users(users)
    layers = []
    for _ in range(_COMPRESSION_DRAWS):
        shown = _draw_shown(sample.sizes, sample.owners, config, rng)
        inputs = _batch_inputs(sample, shown, network.movies, config, rng, dropout=0.0)
        layers.append(np.tanh(inputs @ network.inputs + network.bias))
    return np.concatenate(layers)


def _arrays(network: Autoencoder) -> list[Matrix]:
    return [network.inputs, network.bias, network.outputs, network.prior]


def _initial_network(
    rows: RatingRows, movies: int, config: AutoencoderConfig, rng: np.random.Generator
) -> Autoencoder:
    scale = np.float32(1 / np.sqrt(config.width))
    positive = np.bincount(rows.movies[rows.liked], minlength=movies)
    channels = 3 if config.seen_share else 2
    return Autoencoder(
        scale * rng.standard_normal((channels * movies, config.width), np.float32),
        np.zeros(config.width, np.float32),
        np.float32(0.1) * scale * rng.standard_normal((movies, config.width), np.float32),
        np.log(positive + _PRIOR).astype(np.float32),
    )


def _gradients(
    network: Autoencoder,
    rows: RatingRows,
    users: Ints,
    config: AutoencoderConfig,
    rng: np.random.Generator,
) -> list[Matrix]:
    """Return the gradients of the arrays, in the order of `_arrays`, for a batch of users."""
    batch = rows.of_users(users)
    movies, liked, owners = batch.movies, batch.liked, batch.owners
    shown = _draw_shown(batch.sizes, owners, config, rng)
    inputs = _batch_inputs(batch, shown, network.movies, config, rng, config.dropout)
    hidden = np.tanh(inputs @ network.inputs + network.bias)
    errors = hidden @ network.outputs.T
    errors += network.prior
    _softmax_errors(errors, movies, owners, shown, liked)
    back = (errors @ network.outputs) * (1 - hidden * hidden)
    return [inputs.T @ back, back.sum(0), errors.T @ hidden, errors.sum(0)]


def _draw_shown(
    sizes: Ints, owners: Ints, config: AutoencoderConfig, rng: np.random.Generator
) -> Mask:
    """Return a mask of the ratings shown, n: of each history the first ones or random ones."""
    short = np.exp(rng.random(len(sizes)) * np.log(np.maximum(1.0, 0.8 * sizes)))
    long = rng.random(len(sizes)) * 0.9 * sizes
    counts = np.maximum(
        1, np.where(rng.random(len(sizes)) < config.long_share, long, short)
    ).astype(int)
    keys = rng.random(len(owners))
    if config.time_share:  # a key that rises along the history keeps its order
        in_time = (rng.random(len(sizes)) < config.time_share)[owners]
        keys[in_time] = (np.arange(len(owners)) / len(owners))[in_time]
    order = np.argsort(owners + keys)  # by owner, at random within each
    ranks = np.empty(len(owners), np.int64)
    ranks[order] = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shown: Mask = ranks < counts[owners]
    return shown


def _batch_inputs(
    batch: RatingRows,
    shown: Mask,
    movies: int,
    config: AutoencoderConfig,
    rng: np.random.Generator,
    dropout: float,
) -> sparse.csr_matrix:
    """Return the inputs of the ratings shown, u × channels·movies; of some users only as seen."""
    owners, n = batch.owners, len(batch)
    sizes = np.bincount(owners[shown], minlength=n)
    keep = shown & (rng.random(len(owners)) >= dropout)
    values = (1 / np.sqrt(sizes[owners[keep]]) / (1 - dropout)).astype(np.float32)
    channels = np.where(batch.liked, 0, 1)
    if config.seen_share:
        channels[(rng.random(n) < config.seen_share)[owners]] = 2
    columns = batch.movies[keep] + channels[keep] * movies
    width = (3 if config.seen_share else 2) * movies
    return sparse.csr_matrix((values, (owners[keep], columns)), (n, width))


def _softmax_errors(
    logits: Matrix,
    movies: Ints,
    owners: Ints,
    shown: Mask,
    liked: Mask,
) -> None:
    """Turn logits, b × i, into the gradient of the cross-entropy, in place.

    Users weigh by the root of their hidden likes.
    """
    logits[owners[shown], movies[shown]] = -np.inf
    hidden = ~shown & liked
    counts = np.bincount(owners[hidden], minlength=len(logits))
    weights = np.sqrt(counts)
    weights /= max(weights.sum(), 1.0)
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits *= (weights / logits.sum(axis=1))[:, None].astype(np.float32)
    share = weights / np.maximum(counts, 1)
    logits[owners[hidden], movies[hidden]] -= share[owners[hidden]].astype(np.float32)
