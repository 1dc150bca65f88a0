"""Derived rows of changed movies and users: scaler → encoder → KMeans of a fitted model."""

from typing import Protocol

from marquee.arrays import Vector
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.models import Versioned
from marquee.domain.movies import Movie
from marquee.domain.ratings import RatedMovies
from marquee.events import MOVIES
from marquee.store.codec import DerivedMovieRow, DerivedUserRow


class MovieRowModel(Versioned, Protocol):
    """A model that derives a movie's row."""

    def row(self, movie: Movie, sums: tuple[int, int, int]) -> tuple[Vector, int]:
        """Return the vector (float32 d) and cluster of a new or changed movie."""
        ...

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the sums that the model was fitted with, zeros for a movie it does not know."""
        ...


class UserRowModel(MovieRowModel, Protocol):
    """A model that also derives a user's row."""

    def encode(self, rated: RatedMovies) -> tuple[Vector, int]:
        """Return the code (float32 e) and cluster of a user."""
        ...


def derive_movies(unit_of_work: UnitOfWork, model: MovieRowModel) -> None:
    """Put the rows of the changed movies."""
    for movie_id in unit_of_work.movies:
        movie = unit_of_work.facts.movie(movie_id)
        row = b"" if movie is None else movie_row(movie, model.sums(movie_id), model).pack()
        unit_of_work.put_row(model.version, movie_id, row)


def movie_row(movie: Movie, sums: tuple[int, int, int], model: MovieRowModel) -> DerivedMovieRow:
    """Return a movie's derived row under a model."""
    vector, cluster = model.row(movie, sums)
    return DerivedMovieRow(movie.genres, movie.year or 0, cluster, vector)


def derive_users(unit_of_work: UnitOfWork, model: UserRowModel) -> None:
    """Put the rows of the changed users; a user without ratings has none."""
    for user_id in unit_of_work.users:
        rated = RatedMovies.of(unit_of_work.facts.ratings(user_id))
        if len(rated.movie_ids) == 0:
            unit_of_work.drop_row(model.version, user_id)
            continue
        code, cluster = model.encode(rated)
        unit_of_work.put_row(model.version, user_id, DerivedUserRow(cluster, code).pack())


def derive_all(unit_of_work: UnitOfWork, model: UserRowModel) -> None:
    """Put the rows of changed movies or users, depending on the topic."""
    if unit_of_work.keys.partition.topic == MOVIES:
        derive_movies(unit_of_work, model)
    else:
        derive_users(unit_of_work, model)
