"""The RatingPredictor in PyTorch: user encoder, movie encoder, and the layers that join them.

Users and movies are both described by bags of embeddings of their ratings, as users are in SVD++
(Koren 2008); every sum leaves the target's own rating out, as in leave-one-out cross-validation.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from marquee.arrays import Matrix
from marquee.features.interactions import RatingRows
from marquee.scoring.rating_biases import MOVIE_DAMPING, USER_DAMPING
from neural.rating_predictor import JOINT_NUMBERS, USER_NUMBERS
from neural.training.rating_statistics import RatingStatistics


@dataclass(frozen=True)
class RatingBatch:
    """m ratings of the users of a step: each is a target, predicted from the others of its row.

    Attributes:
        size: Rows of the batch; a user may have two.
        owners: Row of each rating, int64 m.
        users: User of each rating, among all users of the training, int64 m.
        movies: Movie of each rating, int64 m.
        stars: The ratings, float32 m.
        shown: 1 where the rating is in the user's bags, else 0; float32 m.
        own: 1 where the rating is one of the training, to be taken out of every sum that predicts
            it; else 0; float32 m.
        known: 1 where the movie's own embedding is used, else 0; float32 m.
        cold: Ratings to predict once more, as if their movie had none; int64 c.
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
"""Numbers beside a movie's content: bias, log(1 + ratings), their product, 1 / (1 + ratings)."""


class _SparseProduct(torch.autograd.Function):
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
    """Ratings of a user → vector: bags of the rated movies' embeddings, without the target's."""

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

    def forward(
        self, batch: RatingBatch, residuals: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode the user of each rating from the other ratings that are shown of them.

        Args:
            batch: The ratings, m.
            residuals: Stars less μ and the movie's bias, m.

        Returns:
            Vectors m × d, biases, log counts, spreads (m each).
        """
        value, seen = self.value(batch.movies), self.seen(batch.movies)
        n = _sum_of_others(batch, torch.ones_like(residuals))
        total = _sum_of_others(batch, residuals)
        squares = _sum_of_others(batch, residuals * residuals)
        bias = total / (n + USER_DAMPING)
        variance = (squares - 2 * bias * total + n * bias**2).clamp(min=0)
        spread = ((variance + USER_DAMPING) / (n + USER_DAMPING)).sqrt()
        root = (n + 1).sqrt()[:, None]
        weighted = _sum_of_others(batch, value * residuals[:, None])
        centred = (weighted - bias[:, None] * _sum_of_others(batch, value)) / root
        log_n = torch.log1p(n)
        numbers = torch.stack([bias, log_n, spread], dim=1)
        row = torch.cat([centred, _sum_of_others(batch, seen) / root, numbers], dim=1)
        return self.linear(row) + self.layers(row), bias, log_n, spread


def _sum_of_others(batch: RatingBatch, terms: Tensor) -> Tensor:
    """Return for each rating the sum of the terms (m or m × d) of its row but for its own."""
    shown, own = batch.shown, batch.shown * batch.own
    if terms.dim() > 1:
        shown, own = shown[:, None], own[:, None]
    sums = terms.new_zeros(batch.size, *terms.shape[1:])
    sums = sums.index_add(0, batch.owners, terms * shown)
    others: Tensor = sums[batch.owners] - terms * own
    return others


class MovieEncoder(nn.Module):
    """Movie → vector: content and statistics, its own embedding, and bags of its raters'."""

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

    def from_statistics(self, movies: Tensor, bias: Tensor, n: Tensor) -> Tensor:
        """Return the part that content, bias and number of ratings predict, m × d."""
        log_n = torch.log1p(n)
        numbers = torch.stack([bias, log_n, bias * log_n, 1 / (1 + n)], dim=1)
        vectors: Tensor = self.layers(torch.cat([self.content[movies], numbers], dim=1))
        return vectors

    def from_content(self, movies: Tensor) -> Tensor:
        """Return the vectors, m × d, that content alone predicts of movies without ratings."""
        vectors: Tensor = self.new(self.content[movies])
        return vectors

    def from_raters(self, sums: "_RaterSums", bias: Tensor, n: Tensor) -> Tensor:
        """Return the part that the raters' embeddings predict, m × d."""
        root = (n + 1).sqrt()[:, None]
        centred = (sums.weighted - bias[:, None] * sums.value) / root
        row = torch.cat([centred, sums.seen / root], dim=1)
        vectors: Tensor = self.linear(row)
        return vectors


class _RaterSums(NamedTuple):
    """Sums over a movie's raters, m × d each.

    Of `value` embeddings, of these weighted with the residuals of the ratings, and of `seen`
    embeddings.
    """

    weighted: Tensor
    value: Tensor
    seen: Tensor


class RatingNetwork(nn.Module):
    """Rating = μ + biases + ⟨user, movie⟩ + joint layers, every sum without the target itself."""

    def __init__(
        self,
        rows: RatingRows,
        content: Matrix,
        statistics: RatingStatistics,
        d: int,
        hidden: int,
        dropout: float,
    ) -> None:
        """Draw the weights.

        Args:
            rows: Ratings of the u users that are trained on.
            content: Content of all movies, i × c.
            statistics: Statistics of the movies, and the biases of the same users.
            d: Length of a vector.
            hidden: Width of the hidden layers.
            dropout: Share of their numbers that a step leaves out.
        """
        super().__init__()
        n_movies = len(content)
        # Names of attributes are those of weights in bundles: `viewers`, `films` stay as they are.
        self.viewers = UserEncoder(n_movies, d, hidden, dropout)
        self.films = MovieEncoder(torch.from_numpy(content), len(rows), d, hidden, dropout)
        self.correction = nn.Embedding(n_movies, 1)
        nn.init.zeros_(self.correction.weight)
        self.joint = _layers(3 * d + JOINT_NUMBERS, hidden, 1, dropout)
        self._mean = statistics.mean
        self._biases = torch.from_numpy(statistics.biases)
        self._counts = torch.from_numpy(statistics.counts)
        self._user_biases = torch.from_numpy(statistics.user_biases)
        self._rated, self._residuals = _rating_matrices(rows, n_movies, statistics)

    def forward(self, batch: RatingBatch) -> tuple[Tensor, Tensor]:
        """Return the predicted ratings of the batch, m, and those of its `cold` targets, c."""
        residuals = batch.stars - self._mean - self._biases[batch.movies]
        user = self.viewers(batch, residuals)
        q, bias_i, n_i = self._movie_vectors(batch)
        correction = self.correction(batch.movies)[:, 0] * batch.known
        warm = self._rate(user, q, bias_i, n_i) + correction
        zeros = torch.zeros(len(batch.cold))
        new = self.films.from_content(batch.movies[batch.cold])
        cold_user = tuple(part[batch.cold] for part in user)
        return warm, self._rate(cold_user, new, zeros, zeros)

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
        movies = torch.arange(len(self._biases))
        q = self.films.from_statistics(movies, self._biases, self._counts) + self.films.own(movies)
        q = q + self.films.from_raters(self._rater_sums(), self._biases, self._counts)
        return torch.where((self._counts > 0)[:, None], q, self.films.from_content(movies))

    def _movie_vectors(self, batch: RatingBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return vectors m × d, biases and counts of the batch's movies, without the targets."""
        movies, own = batch.movies, batch.own[:, None]
        n = self._counts[movies] - batch.own
        residuals = batch.stars - self._mean - self._user_biases[batch.users]
        total = self._biases[movies] * (self._counts[movies] + MOVIE_DAMPING)
        bias = (total - residuals * batch.own) / (n + MOVIE_DAMPING)
        value, seen = self.films.value(batch.users), self.films.seen(batch.users)
        sums = self._rater_sums()
        others = _RaterSums(
            sums.weighted[movies] - value * residuals[:, None] * own,
            sums.value[movies] - value * own,
            sums.seen[movies] - seen * own,
        )
        is_rated = (n > 0)[:, None]
        q = self.films.from_statistics(movies, bias, n)
        q = q + is_rated * self.films.from_raters(others, bias, n)
        return q + batch.known[:, None] * is_rated * self.films.own(movies), bias, n

    def _rater_sums(self) -> _RaterSums:
        """Return the sums over all raters of all movies, i × d each."""
        value, seen = self.films.value.weight, self.films.seen.weight
        return _RaterSums(
            _SparseProduct.apply(value, self._residuals),
            _SparseProduct.apply(value, self._rated),
            _SparseProduct.apply(seen, self._rated),
        )


def _rating_matrices(
    rows: RatingRows, n_movies: int, statistics: RatingStatistics
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return two i × u matrices: 1 for each rating, and the ratings' residuals.

    A residual is by how much the user liked the movie more than they like movies on average.
    """
    owners = rows.owners
    residuals = rows.half_stars / 2 - statistics.mean - statistics.user_biases[owners]
    cells, shape = (rows.movies, owners), (n_movies, len(rows))
    ones = np.ones(len(owners), np.float32)
    return (
        sparse.csr_matrix((ones, cells), shape),
        sparse.csr_matrix((residuals.astype(np.float32), cells), shape),
    )
