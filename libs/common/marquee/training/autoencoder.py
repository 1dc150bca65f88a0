"""Training of the autoencoder in numpy: random fold-in sizes, softmax over the movies not shown."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse
from sklearn.cluster import KMeans as SkKMeans
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Mask, Matrix
from marquee.features.interactions import RatingRows
from marquee.features.pipeline import KMeans
from marquee.scoring.autoencoder import Autoencoder
from marquee.training.autoencoder_compression import compress

_PRIOR = 0.3
"""Positive ratings that a movie has beside its own when training starts."""


_CLUSTERED = 20_000
"""Of more users a sample makes the clusters."""


class AutoencoderConfig(BaseModel):
    """Width of the code, and how it is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(128, ge=2)
    epochs: int = Field(150, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    decay: float = Field(1.0, ge=0)
    dropout: float = Field(0.3, ge=0, lt=1)
    long_share: float = Field(0.3, ge=0, le=1)
    """Share of fold-ins whose size is uniform up to 90 % of the row; the others are log-uniform."""
    seen_share: float = Field(0.0, ge=0, lt=1)
    """Share of fold-ins shown as movies seen, ratings unknown; 0: there is no such input."""
    condensed: int | None = Field(None, ge=1)
    """Numbers that the layer is condensed to when all is trained; None: it stays the code."""
    max_steps: int = Field(3000, ge=1)
    """Epochs are no more than make so many steps: many users need fewer of them."""
    head: int = Field(10_000, ge=1)
    """Only the movies rated most often are learned: a step weighs them all against each other."""


def input_matrix(rows: RatingRows, movies: int) -> sparse.csr_matrix:
    """Return the u × 2·movies inputs of whole rows: 1/√n in the channel liked or not liked."""
    sizes = rows.sizes
    columns = rows.movies + np.where(rows.liked, 0, movies)
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes).astype(np.float32)
    return sparse.csr_matrix((values, columns, rows.starts), (len(rows), 2 * movies))


def encode(network: Autoencoder, rows: RatingRows) -> Matrix:
    """Return the codes, u × e, of whole rows."""
    inputs = network.inputs[: 2 * network.movies]
    return network.codes_of(np.tanh(input_matrix(rows, network.movies) @ inputs + network.bias))


def fit_autoencoder(
    rows: RatingRows, movies: int, config: AutoencoderConfig, seed: int
) -> Autoencoder:
    """Return the network trained on users' rows over `movies` movies.

    Each step shows a random part of each row and predicts the likes that it hides (Liang et al.
    2018, with the multinomial loss, fold-in sizes drawn as they come in serving).
    """
    rng = np.random.default_rng(seed)
    network = _start(rows, movies, config, rng)
    likes = np.bincount(rows.owners, rows.liked, len(rows))
    users = np.flatnonzero((likes > 0) & (rows.sizes > 1))
    if not len(users):  # nothing to learn: every user gets the prior
        return replace(network, inputs=np.zeros_like(network.inputs), outputs=network.outputs * 0)
    batches = -(-len(users) // config.batch_size)
    steps = min(batches * config.epochs, config.max_steps)
    adam = _Adam(_arrays(network), config, steps)
    with threadpool_limits(1):
        for batch in islice(_batches(users, batches, rng), steps):
            adam.step(_gradients(network, rows, batch, config, rng))
    return network


def _batches(users: Ints, n: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Yield the users in n batches, in another order each time round."""
    while True:
        yield from np.array_split(rng.permutation(users), n)


def learned_movies(sums: Ints, min_ratings: int, head: int) -> Mask:
    """Return which of i movies (`sums` i × 3) an autoencoder learns: the `head` rated most often,
    of those with `min_ratings`, or with as many as there are where none has so many."""
    n = sums[:, 0]
    learned: Mask = n >= min(min_ratings, n.max(initial=0))
    if learned.sum() > head:
        learned = np.zeros(len(n), bool)
        learned[np.argsort(-n, kind="stable")[:head]] = True
    return learned


def fit_over_movies(
    rows: RatingRows, sums: Ints, min_ratings: int, config: AutoencoderConfig, seed: int
) -> Autoencoder:
    """Return the network over all i movies, whose `sums` (i × 3) start with their ratings.

    Movies that are not learned (`learned_movies`) are left out of the training: their weights are 0,
    and their prior is the one that training starts from.
    """
    trained = np.flatnonzero(learned_movies(sums, min_ratings, config.head))
    place = np.full(len(sums), -1)
    place[trained] = np.arange(len(trained))
    keep = place[rows.movies] >= 0
    starts = np.concatenate([[0], np.cumsum(keep)])[rows.starts]
    shown = RatingRows(starts, place[rows.movies[keep]], rows.half_stars[keep])
    small = fit_autoencoder(shown, len(trained), config, seed)
    channels = len(small.inputs) // max(1, len(trained))
    inputs = np.zeros((channels * len(sums), config.width), np.float32)
    inputs[np.concatenate([trained + c * len(sums) for c in range(channels)])] = small.inputs
    outputs = np.zeros((len(sums), config.width), np.float32)
    outputs[trained] = small.outputs
    prior = np.log(sums[:, 1] + _PRIOR).astype(np.float32)
    prior[trained] = small.prior
    network = Autoencoder(inputs, small.bias, outputs, prior)
    if config.condensed is None:
        return network
    return compress(network, _some_layers(network, rows, config, seed), sums, config.condensed)


def _some_layers(
    network: Autoencoder, rows: RatingRows, config: AutoencoderConfig, seed: int
) -> Matrix:
    """Return the layers of fold-ins of at most 5,000 users, as they come in training."""
    rng = np.random.default_rng(seed)
    users = np.sort(rng.permutation(len(rows))[:5000])
    some = rows.of_users(users)
    layers = []
    for _ in range(3):
        shown = _shown(some.sizes, some.owners, config.long_share, rng)
        inputs = _batch_inputs(some, shown, network.movies, config, rng, dropout=0.0)
        layers.append(np.tanh(inputs @ network.inputs + network.bias))
    return np.concatenate(layers)


def fit_user_clusters(codes: Matrix, clusters: int | None, seed: int) -> KMeans:
    """Return the clusters of u × e unit codes; None: one for 75 users, 2 to 64."""
    if not len(codes):
        return KMeans(np.zeros((1, codes.shape[1]), np.float32))
    wanted = clusters or min(max(round(len(codes) / 75), 2), 64)
    codes = _sampled(codes, seed)
    k = min(wanted, len(np.unique(codes.round(5), axis=0)))
    with threadpool_limits(1):
        fitted = SkKMeans(k, n_init=4, random_state=seed).fit(codes)
    return KMeans(np.ascontiguousarray(fitted.cluster_centers_, np.float32))


def _sampled(codes: Matrix, seed: int) -> Matrix:
    if len(codes) <= _CLUSTERED:
        return codes
    chosen = np.random.default_rng(seed).choice(len(codes), _CLUSTERED, replace=False)
    sampled: Matrix = codes[np.sort(chosen)]
    return sampled


def _arrays(network: Autoencoder) -> list[Matrix]:
    return [network.inputs, network.bias, network.outputs, network.prior]


def _start(
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
    batch = rows.of_users(users)
    movies, liked, owners = batch.movies, batch.liked, batch.owners
    shown = _shown(batch.sizes, owners, config.long_share, rng)
    inputs = _batch_inputs(batch, shown, network.movies, config, rng, config.dropout)
    hidden = np.tanh(inputs @ network.inputs + network.bias)
    errors = hidden @ network.outputs.T
    errors += network.prior
    _softmax_errors(errors, movies, owners, shown, liked)
    back = (errors @ network.outputs) * (1 - hidden * hidden)
    return [inputs.T @ back, back.sum(0), errors.T @ hidden, errors.sum(0)]


def _shown(sizes: Ints, owners: Ints, long_share: float, rng: np.random.Generator) -> Mask:
    """Return which ratings a step shows: a random part of each row, of a random size."""
    short = np.exp(rng.random(len(sizes)) * np.log(np.maximum(1.0, 0.8 * sizes)))
    long = rng.random(len(sizes)) * 0.9 * sizes
    counts = np.maximum(1, np.where(rng.random(len(sizes)) < long_share, long, short)).astype(int)
    order = np.argsort(owners + rng.random(len(owners)))  # by owner, at random within each
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
    """Return the inputs of what is shown of a batch; some users' movies are merely seen."""
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
    """Turn b × i logits into the gradient of the weighted cross-entropy, in place."""
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


class _Adam:
    """Adam (Kingma & Ba 2015) with a cosine schedule and decoupled decay, on arrays in place."""

    def __init__(self, arrays: list[Matrix], config: AutoencoderConfig, steps: int) -> None:
        self._arrays = arrays
        self._config = config
        self._steps = steps
        self._step = 0
        self._first = [np.zeros_like(array) for array in arrays]
        self._second = [np.zeros_like(array) for array in arrays]
        self._buffers = [np.empty_like(array) for array in arrays]

    def step(self, gradients: list[Matrix]) -> None:
        self._step += 1
        cosine = 0.5 * (1 + np.cos(np.pi * (self._step - 1) / self._steps))
        rate = self._config.learning_rate * max(cosine, 0.01)
        correction = np.sqrt(1 - 0.999**self._step) / (1 - 0.9**self._step)
        for array, gradient, first, second, buffer in zip(
            self._arrays, gradients, self._first, self._second, self._buffers, strict=True
        ):
            first *= np.float32(0.9)
            np.multiply(gradient, np.float32(0.1), out=buffer)
            first += buffer
            second *= np.float32(0.999)
            np.multiply(gradient, gradient, out=buffer)
            buffer *= np.float32(0.001)
            second += buffer
            np.sqrt(second, out=buffer)
            buffer += np.float32(1e-8)
            np.divide(first, buffer, out=buffer)
            if self._config.decay and array.ndim == 2:
                array *= np.float32(1 - rate * self._config.decay)
            buffer *= np.float32(rate * correction)
            array -= buffer
