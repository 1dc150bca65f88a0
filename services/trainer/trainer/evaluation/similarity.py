"""Quality of similar movies: neighbours among held-out users, and siblings of series.

The protocol of neighbours: the users are split at random into two halves. Likeness is fitted to the
ratings of one half, and each movie of at least 50 ratings ranks the other such movies. Relevant are
the ten nearest among those by the ratings of the other half: by cosine, by lift and by the
log-likelihood ratio (Dunning 1993) of having been rated by the same users. Both directions are
measured and averaged; NDCG@10 is that of binary relevance.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Floating, Ints, Matrix, Reals
from marquee.features.interactions import RatingRows, split_users
from marquee.scoring.top_k import top

MIN_RATINGS = 50
"""Ratings of a movie whose neighbours are measured."""

_K = 10

MEASURES = ("cosine", "lift", "log-likelihood ratio")


@dataclass(frozen=True)
class Siblings:
    """How the movies of series find each other.

    Attributes:
        in_ten: share of a movie's siblings (at most ten) among its ten most similar movies.
        first: share of the movies whose most similar movie is a sibling.
        by_series: both for each series, as means over its movies.
    """

    in_ten: float
    first: float
    by_series: Mapping[str, tuple[float, float]]


def neighbor_quality(
    fit: Callable[[RatingRows], Callable[[Ints], Matrix]],
    rows: RatingRows,
    n_movies: int,
    seed: int = 0,
    only_likes: bool = False,
) -> dict[str, float]:
    """Return NDCG@10 by measure of the protocol above.

    Args:
        fit: fits to some users, and returns a function that returns the likenesses, m × m, of m
            movie rows to each other.
        rows: all users' ratings.
        n_movies: number of movies.
        seed: of the split.
        only_likes: whether neighbours have been liked by the same users, instead of rated.
    """
    measured = np.flatnonzero(rows.sums(n_movies)[:, 0] >= MIN_RATINGS)
    halves = split_users(len(rows), 0.5, seed)
    ndcg: dict[str, list[float]] = {}
    for known, held_out in (halves, halves[::-1]):
        likenesses = fit(rows.of_users(known))(measured)
        users = rows.of_users(held_out)
        for measure, truth in neighbor_measures(users, measured, n_movies, only_likes).items():
            ndcg.setdefault(measure, []).append(_ndcg(likenesses, truth))
    return {measure: float(np.mean(values)) for measure, values in ndcg.items()}


def neighbor_measures(
    rows: RatingRows, movies: Ints, n_movies: int, only_likes: bool = False
) -> dict[str, Reals]:
    """Return by measure how near m movies are by who rated (or liked) both, float64 m × m."""
    counted = rows.liked if only_likes else np.ones(len(rows.movies), bool)
    seen = np.zeros((len(rows), n_movies))
    seen[rows.owners[counted], rows.movies[counted]] = 1
    seen = seen[:, movies]
    both, each, n = seen.T @ seen, seen.sum(axis=0), len(seen)
    expected = np.outer(each, each) / n
    cosine = both / np.sqrt(np.maximum(np.outer(each, each), 1))
    lift = both / np.maximum(expected, 1e-9)
    ratio = np.where(both > expected, _log_likelihood_ratio(both, each, n), -1)
    return dict(zip(MEASURES, (cosine, lift, ratio), strict=True))


def siblings(similar: Callable[[int], Floating], series: Mapping[str, Sequence[int]]) -> Siblings:
    """Return how often the siblings of a movie are among its most similar ones.

    Args:
        similar: returns the likeness of a movie row to all n movies.
        series: movie rows by series.
    """
    by_series = {name: _of_series(similar, rows) for name, rows in series.items()}
    found = [counts for counts_of in by_series.values() for counts in counts_of]
    in_ten, first = _means(found)
    return Siblings(in_ten, first, {name: _means(counts) for name, counts in by_series.items()})


def _of_series(
    similar: Callable[[int], Floating], rows: Sequence[int]
) -> list[tuple[float, float]]:
    counts = []
    for row in rows:
        scores = similar(row)
        others = np.ones(len(scores), bool)
        others[row] = False
        nearest = top(scores, others, _K)
        is_sibling = np.isin(nearest, rows)
        counts.append((is_sibling.sum() / min(_K, len(rows) - 1), float(is_sibling[0])))
    return counts


def _means(counts: Iterable[tuple[float, float]]) -> tuple[float, float]:
    in_ten, first = np.mean(list(counts), axis=0).tolist()
    return in_ten, first


def _ndcg(likenesses: Matrix, truth: Reals) -> float:
    relevant = _nearest(truth)
    hits = [
        np.isin(ranked, wanted)
        for ranked, wanted in zip(_nearest(likenesses), relevant, strict=True)
    ]
    discounts = 1 / np.log2(np.arange(2, relevant.shape[1] + 2))
    return float((np.stack(hits) @ discounts).mean() / discounts.sum())


def _nearest(scores: Floating) -> Ints:
    """Return the ten best columns of each row but the diagonal, best first, ties by column."""
    scores = scores.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, : min(_K, len(scores) - 1)]


def _log_likelihood_ratio(both: Reals, each: Reals, n: int) -> Reals:
    """Return Dunning's ratio of pairs of movies from the counts of users of both and of each."""
    one, other = each[:, None] - both, each[None, :] - both
    neither = n - both - one - other
    cells = _entropy(both) + _entropy(one) + _entropy(other) + _entropy(neither)
    margins = _entropy(each)[:, None] + _entropy(n - each)[:, None]
    margins = margins + _entropy(each)[None, :] + _entropy(n - each)[None, :]
    ratio: Reals = 2 * (cells - margins + _entropy(np.array(float(n))))
    return ratio


def _entropy(counts: Reals) -> Reals:
    """Return counts · log counts, 0 for a count of 0."""
    logs: Reals = counts * np.log(np.maximum(counts, 1e-12))
    return logs
