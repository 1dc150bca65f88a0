"""Derived rows of what a step changed: scaler → encoder → KMeans of a fitted model."""

from typing import Protocol

from marquee.consumer.unit_of_work import Step
from marquee.domain.movies import Film, genre_mask
from marquee.domain.ratings import RatedFilms
from marquee.events import MOVIES
from marquee.store.codec import FilmRow, Vector, ViewerRow


class FilmModel(Protocol):
    """A model that derives a film's row."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...

    def row(self, film: Film, sums: tuple[int, int, int]) -> tuple[Vector, int]:
        """Return the vector (float32 d) and cluster of a new or changed film."""
        ...

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return the sums that the model was fitted with, zeros for a film it does not know."""
        ...


class ViewerModel(FilmModel, Protocol):
    """A model that also derives a viewer's row."""

    def encode(self, rated: RatedFilms) -> tuple[Vector, int]:
        """Return the code (float32 e) and cluster of a viewer."""
        ...


def derive_films(step: Step, model: FilmModel) -> None:
    """Put the rows of the films that the step changed."""
    for movie_id in step.films:
        film = step.film(movie_id)
        row = b"" if film is None else film_row(film, model.sums(movie_id), model).pack()
        step.put_row(model.version, movie_id, row)


def film_row(film: Film, sums: tuple[int, int, int], model: FilmModel) -> FilmRow:
    """Return a film's derived row under a model."""
    vector, cluster = model.row(film, sums)
    return FilmRow(genre_mask(film.genres), film.year or 0, cluster, vector)


def derive_viewers(step: Step, model: ViewerModel) -> None:
    """Put the rows of the viewers that the step changed; one without ratings has none."""
    for user_id in step.users:
        rated = RatedFilms.of(step.ratings(user_id))
        if len(rated.movie_ids) == 0:
            step.drop_row(model.version, user_id)
            continue
        code, cluster = model.encode(rated)
        step.put_row(model.version, user_id, ViewerRow(cluster, code).pack())


def derive_all(step: Step, model: ViewerModel) -> None:
    """Put the rows of films or of viewers, whichever the step's topic is about."""
    if step.keys.partition.topic == MOVIES:
        derive_films(step, model)
    else:
        derive_viewers(step, model)
