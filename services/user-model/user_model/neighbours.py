"""Users of the training and what they liked: who is near a new user, and what ties movies."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Matrix, Reals
from marquee.features.pipeline import KMeans


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Users near to one: `weights` float64 m; `owners` and `movies` are their likes, one each."""

    weights: Reals
    owners: Ints
    movies: Ints

    def rates(self, n_movies: int) -> Reals:
        """Return the weighted share of the near users who liked each movie."""
        total = max(float(self.weights.sum()), 1e-12)
        rates: Reals = np.bincount(self.movies, self.weights[self.owners], n_movies) / total
        return rates

    def ties(self, rows: Ints, liked: Ints, n_movies: int) -> Reals:
        """Return r × l: how often near users liked both a movie of `rows` and one of `liked`.

        Divided by the root of how often they liked the latter, so that blockbusters do not tie all.
        """
        columns = np.full(n_movies, -1)
        both = np.concatenate([rows, liked])
        columns[both] = np.arange(len(both))
        column = columns[self.movies]
        table = np.zeros((len(self.weights), len(both)))
        table[self.owners[column >= 0], column[column >= 0]] = 1
        weighted = table * self.weights[:, None]
        counts = weighted[:, len(rows) :].sum(axis=0)
        ties: Reals = weighted[:, : len(rows)].T @ table[:, len(rows) :]
        ties /= np.sqrt(np.maximum(counts, 1e-12))
        return ties


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Training users ordered by cluster, so that a cluster is a slice.

    `codes` float32 u × e of length 1; `bounds` int64 k + 1: cluster c is the slice from bounds[c]
    to bounds[c + 1]; `starts` int64 u + 1 into `likes`, the rows of the movies that each liked.
    """

    codes: Matrix
    bounds: Ints
    starts: Ints
    likes: Ints

    def near(self, code: Matrix, kmeans: KMeans, clusters: int, count: int) -> Neighbourhood:
        """Return up to `count` users in the nearest clusters of a code, weighed by cosine⁴."""
        nearest = np.argsort(kmeans.distances(code[None])[0], kind="stable")[:clusters]
        users = np.concatenate([np.arange(self.bounds[c], self.bounds[c + 1]) for c in nearest])
        cosines = np.concatenate(
            [self.codes[self.bounds[c] : self.bounds[c + 1]] @ code for c in nearest]
        )
        if len(users) > count:
            chosen = np.sort(np.argpartition(-cosines, count - 1)[:count])
            users, cosines = users[chosen], cosines[chosen]
        sizes = self.starts[users + 1] - self.starts[users]
        owners = np.repeat(np.arange(len(users)), sizes)
        first = np.repeat(self.starts[users] - np.cumsum(sizes) + sizes, sizes)
        likes = self.likes[first + np.arange(len(owners))]
        return Neighbourhood(np.maximum(cosines, 0).astype(np.float64) ** 4, owners, likes)

    def arrays(self) -> Mapping[str, npt.NDArray[np.generic]]:
        """Return what `Neighbours(**arrays)` needs to make it again."""
        return {
            "codes": self.codes,
            "bounds": self.bounds,
            "starts": self.starts,
            "likes": self.likes,
        }
