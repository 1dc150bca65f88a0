"""Segments of movies and of users, as served: nothing is fitted here.

A movie's segment follows from its genres and mean rating; a user's from what he liked: his
genres, how he rated in each movie cluster, and how his likes spread over the movie segments, encoded
and given to KMeans. Both are functions of facts, so they follow events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Matrix, load_arrays, load_json, save_arrays, save_json
from marquee.domain.movies import genre_matrix
from marquee.domain.ratings import POSITIVE
from marquee.features.pipeline import KMeans, Scaler

DRAW = 25.0
"""Ratings of average height that a movie's mean is drawn by."""
PRIOR = 5.0
"""Likes of average kind that a user's profile is drawn by, so that one like is not a taste."""
LEAST_USERS = 5
"""A segment with fewer users is not shown: it would tell of persons."""


@dataclass(frozen=True, eq=False)
class MovieSegments:
    """Genres and mean rating → scaler → KMeans; `mean` is the mean of all ratings in stars."""

    mean: float
    scaler: Scaler
    kmeans: KMeans

    def assign(self, genres: npt.NDArray[np.uint32], sums: Ints) -> npt.NDArray[np.int16]:
        """Return the segments of n movies from their genre masks and sums (n × 3)."""
        return self.kmeans.assign(self.scaler.transform(movie_rows(genres, sums, self.mean)))


def movie_rows(genres: npt.NDArray[np.uint32], sums: Ints, mean: float) -> Matrix:
    """Return the rows, n × 20: multi-hot genres, and the mean rating drawn to that of all."""
    means = (sums[:, 2] / 2 + DRAW * mean) / (sums[:, 0] + DRAW)
    return np.concatenate([genre_matrix(genres), means[:, None]], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Profiles:
    """What likes say of a user. `kinds` float32 n × (19 + s): a movie's genres and segment;
    `clusters` n: its cluster; `prior` 19 + s: the mean of `kinds` over all likes."""

    kinds: Matrix
    clusters: npt.NDArray[np.int16]
    n_clusters: int
    prior: Matrix

    def of(self, movies: Ints, half_stars: npt.NDArray[np.integer]) -> Matrix | None:
        """Return the profile, 19 + s + c, of a user by rows of movies; None without a like."""
        liked = half_stars >= POSITIVE
        rows, stars = movies[liked], half_stars[liked] / 2
        if not len(rows):
            return None
        shares = (self.kinds[rows].sum(axis=0) + PRIOR * self.prior) / (len(rows) + PRIOR)
        clusters = self.clusters[rows]
        above = np.bincount(clusters, stars - stars.mean(), self.n_clusters)
        counts = np.bincount(clusters, minlength=self.n_clusters)
        return np.concatenate([shares, above / (counts + PRIOR)]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ProfileEncoder:
    """code = tanh(scaled · weights + bias): the first half of `user_segment_autoencoder`."""

    scaler: Scaler
    weights: Matrix
    bias: Matrix

    def encode(self, profiles: Matrix) -> Matrix:
        """Return the codes, n × e, of n × d profiles."""
        codes: Matrix = np.tanh(self.scaler.transform(profiles) @ self.weights + self.bias)
        return codes


@dataclass(frozen=True, eq=False)
class UserSegments:
    """Profile → encoder → KMeans."""

    profiles: Profiles
    encoder: ProfileEncoder
    kmeans: KMeans

    def assign(self, movies: Ints, half_stars: npt.NDArray[np.integer]) -> int | None:
        """Return the segment of a user by rows of base movies; None: he liked none of them."""
        profile = self.profiles.of(movies, half_stars)
        if profile is None:
            return None
        return int(self.kmeans.assign(self.encoder.encode(profile[None]))[0])


@dataclass(frozen=True, eq=False)
class Segments:
    """Both kinds of segments. `users` is None where nobody liked anything; `of_users` (int16)
    are the segments of the users of the training (-1: none), `codes` u × e what they rest on.
    `about` describes the segments of each kind and how their number was chosen."""

    movies: MovieSegments
    users: UserSegments | None
    codes: Matrix
    of_users: npt.NDArray[np.int16]
    about: Mapping[str, Any] = field(default_factory=dict)

    def described(self, kind: str) -> list[dict[str, Any]]:
        """Return the segments of a kind (`movies`, `users`) that may be shown."""
        least = LEAST_USERS if kind == "users" else 1
        return [one for one in self.about[kind]["segments"] if one["size"] >= least]

    def save(self, directory: Path) -> None:
        """Write `movie_segments.npz`, `user_segment_autoencoder.npz`, `user_segments.npz`,
        `encoded_user_vectors.npz` and `segments.json`."""
        movies = self.movies
        save_arrays(
            directory / "film_segments.npz", all_mean=np.array(movies.mean),
            mean=movies.scaler.mean, scale=movies.scaler.scale, centers=movies.kmeans.centers,
        )  # fmt: skip
        save_json(directory / "segments.json", dict(self.about))
        save_arrays(
            directory / "encoded_user_vectors.npz", codes=self.codes, segments=self.of_users
        )
        if self.users is None:
            return
        encoder, profiles = self.users.encoder, self.users.profiles
        save_arrays(
            directory / "user_segment_autoencoder.npz", mean=encoder.scaler.mean,
            scale=encoder.scaler.scale, weights=encoder.weights, bias=encoder.bias,
        )  # fmt: skip
        save_arrays(
            directory / "user_segments.npz", centers=self.users.kmeans.centers,
            kinds=profiles.kinds, clusters=profiles.clusters, prior=profiles.prior,
            n_clusters=np.array(profiles.n_clusters),
        )  # fmt: skip

    @classmethod
    def load(cls, directory: Path) -> "Segments | None":
        """Read what `save` wrote; None for a bundle made before there were segments."""
        if not (directory / "segments.json").is_file():
            return None
        movies = load_arrays(directory / "film_segments.npz")
        vectors = load_arrays(directory / "encoded_user_vectors.npz")
        return cls(
            MovieSegments(
                float(movies["all_mean"]),
                Scaler(movies["mean"], movies["scale"]),
                KMeans(movies["centers"]),
            ),
            _load_users(directory),
            vectors["codes"],
            vectors["segments"],
            load_json(directory / "segments.json"),
        )


def _load_users(directory: Path) -> UserSegments | None:
    if not (directory / "user_segments.npz").is_file():
        return None
    encoder = load_arrays(directory / "user_segment_autoencoder.npz")
    held = load_arrays(directory / "user_segments.npz")
    return UserSegments(
        Profiles(held["kinds"], held["clusters"], int(held["n_clusters"]), held["prior"]),
        ProfileEncoder(
            Scaler(encoder["mean"], encoder["scale"]), encoder["weights"], encoder["bias"]
        ),
        KMeans(held["centers"]),
    )
