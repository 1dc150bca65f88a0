"""The RatingPredictor in PyTorch: user encoder, movie encoder, and the layers that join them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from marquee.features.interactions import RatingRows
from neural.rating_biases import MOVIE_DAMPING, USER_DAMPING, Statistics
from neural.rating_predictor import JOINT_NUMBERS, USER_NUMBERS


@dataclass(frozen=True)
class Batch:
    """Ratings of some users, m of them, each a target that the others of its row predict.

    `owners` int64: the row within the batch, of `size`; `users` int64: among all; `movies` int64;
    `stars`; `shown` 0 or 1: in the user's bags; `own` 0 or 1: a rating of the training, to be
    taken out of every sum that predicts it; `known` 0 or 1: use the movie's own embedding. Float32
    but for the first three. `cold` int64, c: targets to predict once more, as if of a new movie.
    """

    size: int
    owners: Tensor
    users: Tensor
    movies: Tensor
    stars: Tensor
    shown: Tensor
    own: Tensor
    known: Tensor
    cold: Tensor


MOVIE_NUMBERS = 4
"""Numbers beside a movie's content: its bias, its ratings, and both at once."""


class _Sums(torch.autograd.Function):
    """A sparse constant times a dense table; scipy is several times faster here than torch."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, matrix: sparse.csr_matrix) -> Tensor:
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ table.detach().numpy())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.matrix.T @ gradient.numpy()), None


def _layers(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.GELU(approximate="tanh"),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )


def _embedding(n: int, d: int) -> nn.Embedding:
    table = nn.Embedding(n, d)
    nn.init.normal_(table.weight, std=0.1 / d**0.5)
    return table


class UserEncoder(nn.Module):
    """The autoencoder's row → vector: bags of the rated movies, the target's own part taken out."""

    def __init__(self, movies: int, d: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.value, self.seen = _embedding(movies, d), _embedding(movies, d)
        width = 2 * d + USER_NUMBERS
        self.linear = nn.Linear(width, d, bias=False)
        self.layers = _layers(width, hidden, d, dropout)
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.weight[:, :d] = torch.eye(d)
            self.linear.weight[:, d : 2 * d] = torch.eye(d)

    def forward(self, batch: Batch, rest: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return vectors m × d, biases, log counts, spreads (m each); `rest`: stars - μ - bias."""
        value, seen = self.value(batch.movies), self.seen(batch.movies)
        shown, own = batch.shown, batch.shown * batch.own

        def others(terms: Tensor) -> Tensor:
            weight = shown if terms.dim() == 1 else shown[:, None]
            mine = own if terms.dim() == 1 else own[:, None]
            sums = terms.new_zeros(batch.size, *terms.shape[1:])
            return sums.index_add(0, batch.owners, terms * weight)[batch.owners] - terms * mine

        n = others(torch.ones_like(rest))
        total, squares = others(rest), others(rest * rest)
        bias = total / (n + USER_DAMPING)
        variance = (squares - 2 * bias * total + n * bias**2).clamp(min=0)
        spread = ((variance + USER_DAMPING) / (n + USER_DAMPING)).sqrt()
        root = (n + 1).sqrt()[:, None]
        valued = (others(value * rest[:, None]) - bias[:, None] * others(value)) / root
        log_n = torch.log1p(n)
        numbers = torch.stack([bias, log_n, spread], dim=1)
        row = torch.cat([valued, others(seen) / root, numbers], dim=1)
        return self.linear(row) + self.layers(row), bias, log_n, spread


class MovieEncoder(nn.Module):
    """Content and statistics, an embedding of its own, and a bag of who rated it and how."""

    def __init__(self, content: Tensor, users: int, d: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.content: Tensor
        self.register_buffer("content", content, persistent=False)
        self.own = _embedding(len(content), d)
        self.value, self.seen = _embedding(users, d), _embedding(users, d)
        self.linear = nn.Linear(2 * d, d, bias=False)
        self.layers = _layers(content.shape[1] + MOVIE_NUMBERS, hidden, d, dropout)
        self.new = _layers(content.shape[1], hidden, d, dropout)
        with torch.no_grad():
            self.linear.weight.copy_(torch.cat([torch.eye(d), torch.eye(d)], dim=1))

    def describe(self, movies: Tensor, bias: Tensor, n: Tensor) -> Tensor:
        """Return what content and statistics say, m × d."""
        log_n = torch.log1p(n)
        numbers = torch.stack([bias, log_n, bias * log_n, 1 / (1 + n)], dim=1)
        described: Tensor = self.layers(torch.cat([self.content[movies], numbers], dim=1))
        return described

    def foresee(self, movies: Tensor) -> Tensor:
        """Return what content alone says of movies that nobody has rated, m × d."""
        vectors: Tensor = self.new(self.content[movies])
        return vectors

    def bag(self, sums: tuple[Tensor, Tensor, Tensor], bias: Tensor, n: Tensor) -> Tensor:
        """Return what the raters say, m × d: `sums` of valued, of plain, and of seen vectors."""
        valued, plain, seen = sums
        root = (n + 1).sqrt()[:, None]
        row = torch.cat([(valued - bias[:, None] * plain) / root, seen / root], dim=1)
        spoken: Tensor = self.linear(row)
        return spoken


class RatingNetwork(nn.Module):
    """Rating = μ + biases + ⟨user, movie⟩ + joint layers, every sum without the target itself."""

    def __init__(
        self,
        rows: RatingRows,
        content: "np.typing.NDArray[np.float32]",
        statistics: Statistics,
        d: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        movies = len(content)
        self.viewers = UserEncoder(movies, d, hidden, dropout)
        self.films = MovieEncoder(torch.from_numpy(content), len(rows), d, hidden, dropout)
        self.correction = nn.Embedding(movies, 1)
        nn.init.zeros_(self.correction.weight)
        self.joint = _layers(3 * d + JOINT_NUMBERS, hidden, 1, dropout)
        self._mean = statistics.mean
        self._biases = torch.from_numpy(statistics.biases)
        self._counts = torch.from_numpy(statistics.counts)
        self._user_biases = torch.from_numpy(statistics.user_biases)
        self._plain, self._valued = _columns(rows, movies, statistics)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the predicted ratings of the batch, m, and those of its `cold` targets, c."""
        rest = batch.stars - self._mean - self._biases[batch.movies]
        user = self.viewers(batch, rest)
        q, bias_i, n_i = self._movie_vectors(batch)
        correction = self.correction(batch.movies)[:, 0] * batch.known
        warm = self._rate(user, q, bias_i, n_i) + correction
        none = torch.zeros(len(batch.cold))
        new = self.films.foresee(batch.movies[batch.cold])
        part = tuple(one[batch.cold] for one in user)
        return warm, self._rate(part, new, none, none)

    def _rate(self, user: tuple[Tensor, ...], q: Tensor, bias_i: Tensor, n_i: Tensor) -> Tensor:
        z, bias_u, log_u, spread = user
        numbers = torch.stack(
            [bias_u, bias_i, log_u, torch.log1p(n_i), spread, bias_u * bias_i], dim=1
        )
        joint = self.joint(torch.cat([z, q, z * q, numbers], dim=1))[:, 0]
        rating: Tensor = self._mean + bias_u + bias_i + (z * q).sum(1) + joint
        return rating

    def movie_table(self) -> Tensor:
        """Return the vectors of all movies from all their ratings, i × d."""
        every = torch.arange(len(self._biases))
        q = self.films.describe(every, self._biases, self._counts) + self.films.own(every)
        q = q + self.films.bag(self._column_sums(), self._biases, self._counts)
        return torch.where((self._counts > 0)[:, None], q, self.films.foresee(every))

    def _movie_vectors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        n = self._counts[batch.movies] - batch.own
        left = batch.stars - self._mean - self._user_biases[batch.users]
        sum_i = self._biases[batch.movies] * (self._counts[batch.movies] + MOVIE_DAMPING)
        bias = (sum_i - left * batch.own) / (n + MOVIE_DAMPING)
        value, seen = self.films.value(batch.users), self.films.seen(batch.users)
        own = batch.own[:, None]
        valued, plain, seens = (sums[batch.movies] for sums in self._column_sums())
        rest = (valued - value * left[:, None] * own, plain - value * own, seens - seen * own)
        rated = (n > 0)[:, None]
        q = self.films.describe(batch.movies, bias, n) + rated * self.films.bag(rest, bias, n)
        return q + batch.known[:, None] * rated * self.films.own(batch.movies), bias, n

    def _column_sums(self) -> tuple[Tensor, Tensor, Tensor]:
        value, seen = self.films.value.weight, self.films.seen.weight
        return (
            _Sums.apply(value, self._valued),
            _Sums.apply(value, self._plain),
            _Sums.apply(seen, self._plain),
        )


def _columns(
    rows: RatingRows, movies: int, statistics: Statistics
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return i × u: who rated a movie, and by how much more than he rates on average."""
    owners = rows.owners
    rest = rows.half_stars / 2 - statistics.mean - statistics.user_biases[owners]
    place, shape = (rows.movies, owners), (movies, len(rows))
    ones = np.ones(len(owners), np.float32)
    return (
        sparse.csr_matrix((ones, place), shape),
        sparse.csr_matrix((rest.astype(np.float32), place), shape),
    )
