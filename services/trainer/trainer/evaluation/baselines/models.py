"""Baseline recommenders from liked movies alone: ItemKNN, implicit ALS and EASE."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from trainer.evaluation.protocols.cases import EvaluationCase
from trainer.evaluation.protocols.splits import SEED

MAX_MOVIES = 8000
"""ItemKNN and EASE take the most liked movies only: they need a matrix movies × movies."""


class Scorer(Protocol):
    """A fitted baseline."""

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        """Return the scores of all movies, m × n, for m users with the likes `shown`, m × n."""
        ...


def like_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """Return the likes of a data set, users × movies, 1 or 0."""
    rows = RatingRows.of(dataset)
    liked = rows.liked
    place = (rows.owners[liked], rows.movies[liked])
    ones = np.ones(int(liked.sum()), np.float32)
    return sparse.csr_matrix((ones, place), (len(rows), len(dataset.movies)))


def fold_in_matrix(cases: Sequence[EvaluationCase], n_movies: int) -> sparse.csr_matrix:
    """Return the input of baselines for m cases: liked (or viewed) movies, m × movies, 1 or 0."""
    starts = np.cumsum([0, *(len(case.liked) for case in cases)])
    movies = np.concatenate([np.zeros(0, np.int64), *(case.liked for case in cases)])
    return sparse.csr_matrix(
        (np.ones(len(movies), np.float32), movies, starts), (len(cases), n_movies)
    )


@dataclass(frozen=True, eq=False)
class MovieWeights:
    """Linear scores: shown · weights (h × h) among the movies `head`; the others score 0."""

    head: Ints
    weights: Matrix

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        scores = np.zeros(shown.shape, np.float32)
        scores[:, self.head] = shown[:, self.head] @ self.weights
        return scores


def fit_item_knn(likes: sparse.csr_matrix, shrinkage: float, neighbours: float) -> Scorer:
    """Return ItemKNN by shrunk cosine (Sarwar et al. 2001, "Item-based collaborative filtering").

    Args:
        likes: users × movies, 1 or 0.
        shrinkage: Added to the product of norms, so that few common users count less.
        neighbours: Weights kept of each movie, the largest ones.
    """
    head = most_liked(likes)
    chosen = likes[:, head]
    together = np.asarray((chosen.T @ chosen).todense(), np.float32)
    norms: Matrix = np.sqrt(np.diagonal(together))
    weights: Matrix = together / (np.outer(norms, norms) + np.float32(shrinkage))
    np.fill_diagonal(weights, 0.0)
    k = min(int(neighbours), len(head))
    if k < len(head):
        least = np.partition(weights, -k, axis=1)[:, -k, None]
        weights[weights < least] = 0.0
    return MovieWeights(head, weights)


def fit_ease(likes: sparse.csr_matrix, penalty: float) -> Scorer:
    """Return EASE (Steck 2019, "Embarrassingly shallow autoencoders for sparse data").

    A ridge regression of liked movies on liked movies with a zero diagonal: B = I - P / diag(P),
    P = (X'X + penalty · I)^-1.
    """
    head = most_liked(likes)
    chosen = likes[:, head]
    if chosen.shape[0] < len(head):
        return _few_users_ease(chosen.toarray(), head, penalty)
    gram = np.asarray((chosen.T @ chosen).todense(), np.float64)
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diagonal(inverse)
    np.fill_diagonal(weights, 0.0)
    return MovieWeights(head, weights.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _FewUsersEase:
    """EASE with fewer users than movies: by Woodbury's identity only users × users is inverted.

    `left` (movies × users) · `right` (users × movies) is the inverse's low-rank part, `share` its
    diagonal. The diagonal of the weights is not zeroed, so scores of a user's own movies are
    meaningless: no list contains them.
    """

    head: Ints
    left: Matrix
    right: Matrix
    share: Matrix

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        scores = np.zeros(shown.shape, np.float32)
        scores[:, self.head] = (shown[:, self.head] @ self.left) @ self.right / (1 - self.share)
        return scores


def _few_users_ease(chosen: Matrix, head: Ints, penalty: float) -> Scorer:
    users = (chosen @ chosen.T).astype(np.float64)
    users[np.diag_indices_from(users)] += penalty
    right = np.linalg.solve(users, chosen.astype(np.float64)).astype(np.float32)
    return _FewUsersEase(head, chosen.T.copy(), right, np.einsum("uf,uf->f", chosen, right))


@dataclass(frozen=True, eq=False)
class FoldedFactors:
    """Item factors; a user's factors are solved from the liked movies (Hu et al. 2008)."""

    items: Matrix
    regularization: float
    confidence: float

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        items = self.items.astype(np.float64)
        gram = items.T @ items + self.regularization * np.eye(items.shape[1])
        factors = np.zeros((shown.shape[0], items.shape[1]))
        for i in range(shown.shape[0]):
            rows = items[shown.indices[shown.indptr[i] : shown.indptr[i + 1]]]
            system = gram + (self.confidence - 1) * rows.T @ rows
            factors[i] = np.linalg.solve(system, self.confidence * rows.sum(axis=0))
        return (factors @ items.T).astype(np.float32)


def fit_als(likes: sparse.csr_matrix, regularization: float, confidence: float) -> Scorer:
    """Return implicit ALS (Hu et al. 2008); a liked movie has `confidence`, any other has 1."""
    with threadpool_limits(1):
        als = AlternatingLeastSquares(
            64, regularization=regularization, iterations=15, num_threads=1, random_state=SEED
        )
        als.fit(likes * np.float32(confidence), show_progress=False)
    return FoldedFactors(np.nan_to_num(np.asarray(als.item_factors)), regularization, confidence)


def most_liked(likes: sparse.csr_matrix, limit: int = MAX_MOVIES) -> Ints:
    """Return the rows of the most liked movies, at most `limit`, ascending; all have a like."""
    counts = np.asarray(likes.sum(axis=0)).ravel()
    order = np.argsort(-counts, kind="stable")[:limit]
    return np.sort(order[counts[order] > 0]).astype(np.int64)
