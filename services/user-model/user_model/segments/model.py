"""Segments of movies and of users, as served: nothing is fitted here.

A movie's segment follows from its genres and mean rating. A user's follows from their likes: the
genres, how they rated in each movie cluster, and how the likes spread over the movie segments,
encoded and given to KMeans. Both are functions of facts, so they follow events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import (
    Integer,
    Ints,
    Matrix,
    Vector,
    load_arrays,
    load_json,
    save_arrays,
    save_json,
)
from marquee.domain.genres import GENRES, genre_arrays, genres_from_arrays
from marquee.domain.likes import is_like
from marquee.features.pipeline import KMeans, Scaler

PSEUDO_RATINGS = 25.0
"""Ratings of the overall mean that count beside those of a movie in its mean."""
PSEUDO_LIKES = 5.0
"""Likes of the average kind that count beside those of a user: one like is not a taste."""
MIN_USERS = 5
"""A segment with fewer users is not shown: it would reveal persons."""


@dataclass(frozen=True, eq=False)
class MovieSegments:
    """Genres and mean rating → scaler → KMeans.

    Attributes:
        mean: The mean of all ratings, in stars.
        genres: The g genres of the catalogue at the training, in the order of their columns.
    """

    mean: float
    scaler: Scaler
    kmeans: KMeans
    genres: tuple[str, ...] = GENRES

    def assign(self, genres: Matrix, sums: Ints) -> npt.NDArray[np.int16]:
        """Return the segments of n movies from their multi-hot genres (n × g) and sums (n × 3)."""
        return self.kmeans.assign(self.scaler.transform(segment_rows(genres, sums, self.mean)))


def segment_rows(genres: Matrix, sums: Ints, mean: float) -> Matrix:
    """Return n rows that movies are segmented by: multi-hot genres, then the damped mean rating.

    Args:
        genres: Multi-hot genres, n × g.
        sums: Ratings, positive ones and half stars, n × 3.
        mean: Mean of all ratings in stars, which the mean of few ratings is pulled towards.
    """
    means = (sums[:, 2] / 2 + PSEUDO_RATINGS * mean) / (sums[:, 0] + PSEUDO_RATINGS)
    return np.concatenate([genres, means[:, None]], axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ProfileBuilder:
    """Describes users by their likes, given what is known of n movies.

    Attributes:
        kinds: Multi-hot genres and segment of each movie, n × (g + s).
        clusters: Cluster of each movie, n.
        n_clusters: Number of movie clusters, c.
        prior: Mean of `kinds` over all likes, g + s.
    """

    kinds: Matrix
    clusters: npt.NDArray[np.int16]
    n_clusters: int
    prior: Vector

    def profile(self, movies: Ints, half_stars: Integer) -> Vector | None:
        """Return the profile of a user, g + s + c; None without a like.

        It holds the share of each genre and segment among the likes, and by how much the user rates
        each cluster's liked movies above their mean like; both are pulled towards the average.

        Args:
            movies: Rows of the rated movies.
            half_stars: The ratings.
        """
        liked = is_like(half_stars)
        rows, stars = movies[liked], half_stars[liked] / 2
        if not len(rows):
            return None
        kinds = self.kinds[rows].sum(axis=0) + PSEUDO_LIKES * self.prior
        shares = kinds / (len(rows) + PSEUDO_LIKES)
        clusters = self.clusters[rows]
        above = np.bincount(clusters, stars - stars.mean(), self.n_clusters)
        counts = np.bincount(clusters, minlength=self.n_clusters)
        return np.concatenate([shares, above / (counts + PSEUDO_LIKES)]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ProfileEncoder:
    """code = tanh(scaled · weights + bias): the encoder of an autoencoder of profiles."""

    scaler: Scaler
    weights: Matrix
    bias: Vector

    def encode(self, profiles: Matrix) -> Matrix:
        """Return the codes, n × e, of n × d profiles."""
        codes: Matrix = np.tanh(self.scaler.transform(profiles) @ self.weights + self.bias)
        return codes


@dataclass(frozen=True, eq=False)
class UserSegments:
    """Profile → encoder → KMeans."""

    profiles: ProfileBuilder
    encoder: ProfileEncoder
    kmeans: KMeans

    def assign(self, movies: Ints, half_stars: Integer) -> int | None:
        """Return the segment of a user by rows of base movies; None if they liked none of them."""
        profile = self.profiles.profile(movies, half_stars)
        if profile is None:
            return None
        return int(self.kmeans.assign(self.encoder.encode(profile[None]))[0])


@dataclass(frozen=True, eq=False)
class Segments:
    """Segments of movies and of users.

    Attributes:
        movies: Assigns movies.
        users: Assigns users; None where there are no likes.
        codes: Codes of the u users of the training, u × e.
        of_users: Their segments (-1: none), u.
        about: By kind, descriptions of the segments and how their number was chosen.
    """

    movies: MovieSegments
    users: UserSegments | None
    codes: Matrix
    of_users: npt.NDArray[np.int16]
    about: Mapping[str, Any] = field(default_factory=dict)

    def described(self, kind: str) -> list[dict[str, Any]]:
        """Return the segments of a kind (`movies`, `users`) that may be shown, as described."""
        least = MIN_USERS if kind == "users" else 1
        return [segment for segment in self.about[kind]["segments"] if segment["size"] >= least]

    def save(self, directory: Path) -> None:
        """Write `segments.json` and the arrays.

        These are `film_segments`, `encoded_user_vectors`, and those of the users' steps,
        `user_segment_autoencoder` and `user_segments`.
        """
        _save_movies(directory, self.movies)
        save_json(directory / "segments.json", dict(self.about))
        save_arrays(
            directory / "encoded_user_vectors.npz", codes=self.codes, segments=self.of_users
        )
        if self.users is not None:
            _save_users(directory, self.users)

    @classmethod
    def load(cls, directory: Path) -> "Segments | None":
        """Read what `save` wrote; None for a bundle made before there were segments."""
        if not (directory / "segments.json").is_file():
            return None
        vectors = load_arrays(directory / "encoded_user_vectors.npz")
        return cls(
            movies=_load_movies(directory),
            users=_load_users(directory),
            codes=vectors["codes"],
            of_users=vectors["segments"],
            about=load_json(directory / "segments.json"),
        )


def _save_movies(directory: Path, movies: MovieSegments) -> None:
    save_arrays(
        directory / "film_segments.npz",
        all_mean=np.array(movies.mean),
        mean=movies.scaler.mean,
        scale=movies.scaler.scale,
        centers=movies.kmeans.centers,
        **genre_arrays(movies.genres),
    )


def _load_movies(directory: Path) -> MovieSegments:
    movies = load_arrays(directory / "film_segments.npz")
    return MovieSegments(
        mean=float(movies["all_mean"]),
        scaler=Scaler(movies["mean"], movies["scale"]),
        kmeans=KMeans(movies["centers"]),
        genres=genres_from_arrays(movies),
    )


def _save_users(directory: Path, users: UserSegments) -> None:
    encoder, profiles = users.encoder, users.profiles
    save_arrays(
        directory / "user_segment_autoencoder.npz",
        mean=encoder.scaler.mean,
        scale=encoder.scaler.scale,
        weights=encoder.weights,
        bias=encoder.bias,
    )
    save_arrays(
        directory / "user_segments.npz",
        centers=users.kmeans.centers,
        kinds=profiles.kinds,
        clusters=profiles.clusters,
        prior=profiles.prior,
        n_clusters=np.array(profiles.n_clusters),
    )


def _load_users(directory: Path) -> UserSegments | None:
    """Read the users' part; None where the training had no likes."""
    if not (directory / "user_segments.npz").is_file():
        return None
    autoencoder = load_arrays(directory / "user_segment_autoencoder.npz")
    segments = load_arrays(directory / "user_segments.npz")
    return UserSegments(
        profiles=ProfileBuilder(
            kinds=segments["kinds"],
            clusters=segments["clusters"],
            n_clusters=int(segments["n_clusters"]),
            prior=segments["prior"],
        ),
        encoder=ProfileEncoder(
            scaler=Scaler(autoencoder["mean"], autoencoder["scale"]),
            weights=autoencoder["weights"],
            bias=autoencoder["bias"],
        ),
        kmeans=KMeans(segments["centers"]),
    )
