"""A history of five films and three users, and rows of the log to append to it."""

from collections.abc import Sequence

import numpy as np

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from trainer.history.history import History
from trainer.history.log_segments import RatingRow

MOVIES = [
    Movie(movie_id=i, title=f"Film {i}", year=2000 + i, genres=("Drama",), tags={"slow": 0.5})
    for i in range(1, 6)
]


def dataset(rows: Sequence[tuple[int, int, int, int]]) -> Dataset:
    """Return a data set of ratings: user, movie, half stars, time."""
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return make_dataset(columns[0], columns[1], columns[2].astype(np.uint8), columns[3], MOVIES)


def rated(data: Dataset) -> dict[tuple[int, int], int]:
    """Return the half stars of each pair of a user and a movie."""
    pairs = zip(data.user_ids.tolist(), data.movie_ids.tolist(), strict=True)
    return dict(zip(pairs, data.half_stars.tolist(), strict=True))


def added(offset: int, user_id: int, movie_id: int, half_stars: int = 8) -> RatingRow:
    return RatingRow(offset, "added", user_id, movie_id, half_stars, 1000 + offset)


def of_kind(kind: str, offset: int, user_id: int, movie_id: int = 0) -> RatingRow:
    return RatingRow(offset, kind, user_id, movie_id, 0, 1000 + offset)


def imported(history: History) -> Dataset:
    """Import four ratings; return them."""
    data = dataset([(1, 1, 10, 5), (1, 2, 3, 6), (2, 1, 8, 7), (3, 5, 1, 8)])
    history.import_dataset(data)
    return data
