"""Neighbours of a user among the users of the training, and the movies that they liked."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Matrix, Reals, Vector
from marquee.features.pipeline import KMeans

_SHARPNESS = 4
"""Power of the cosine that weighs a neighbour."""


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Neighbours of one user, and their likes.

    Attributes:
        weights: Of the m neighbours.
        owners: The neighbour of each like, from 0.
        movies: The movie (row) of each like.
    """

    weights: Reals
    owners: Ints
    movies: Ints

    def rates(self, n_movies: int) -> Reals:
        """Return the weighted share of the neighbours who liked each movie."""
        total = max(float(self.weights.sum()), 1e-12)
        rates: Reals = np.bincount(self.movies, self.weights[self.owners], n_movies) / total
        return rates

    def co_likes(self, rows: Ints, liked: Ints, n_movies: int) -> Reals:
        """Return how often neighbours liked both a movie of `rows` and one of `liked`, r × l.

        Divided by the root of how often they liked the latter, so that blockbusters do not explain
        everything.
        """
        columns = np.full(n_movies, -1)
        both = np.concatenate([rows, liked])
        columns[both] = np.arange(len(both))
        column = columns[self.movies]
        likes = np.zeros((len(self.weights), len(both)))
        likes[self.owners[column >= 0], column[column >= 0]] = 1
        weighted = likes * self.weights[:, None]
        counts = weighted[:, len(rows) :].sum(axis=0)
        co_likes: Reals = weighted[:, : len(rows)].T @ likes[:, len(rows) :]
        co_likes /= np.sqrt(np.maximum(counts, 1e-12))
        return co_likes


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Index of the u users of the training, ordered by cluster, so that a cluster is a slice.

    Attributes:
        codes: Unit codes, u × e.
        bounds: Cluster c is the slice of users from bounds[c] to bounds[c + 1]; k + 1.
        starts: The likes of user i are the slice of `likes` from starts[i] to starts[i + 1]; u + 1.
        likes: Rows of the movies that each user liked.
    """

    codes: Matrix
    bounds: Ints
    starts: Ints
    likes: Ints

    def search(self, code: Vector, kmeans: KMeans, n_clusters: int, count: int) -> Neighbourhood:
        """Return the users nearest to a code, among those of the nearest clusters.

        Args:
            code: Unit code, e.
            kmeans: The clusters of the users.
            n_clusters: Clusters to search, as an inverted file index does.
            count: Users to return at most; they are weighed by cosine⁴.
        """
        nearest = np.argsort(kmeans.distances(code[None])[0], kind="stable")[:n_clusters]
        slices = [slice(int(self.bounds[c]), int(self.bounds[c + 1])) for c in nearest]
        users = np.concatenate([np.arange(part.start, part.stop) for part in slices])
        cosines = np.concatenate([self.codes[part] @ code for part in slices])
        if len(users) > count:
            best = np.sort(np.argpartition(-cosines, count - 1)[:count])
            users, cosines = users[best], cosines[best]
        owners, likes = self._likes_of(users)
        weights = np.maximum(cosines, 0).astype(np.float64) ** _SHARPNESS
        return Neighbourhood(weights, owners, likes)

    def _likes_of(self, users: Ints) -> tuple[Ints, Ints]:
        """Return the likes of m users, user after user: owners (0 to m - 1) and movies."""
        sizes = self.starts[users + 1] - self.starts[users]
        owners = np.repeat(np.arange(len(users)), sizes)
        begins = np.cumsum(sizes) - sizes  # of each user's likes in the answer
        places = np.arange(len(owners)) + np.repeat(self.starts[users] - begins, sizes)
        return owners, self.likes[places]
