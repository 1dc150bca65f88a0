"""Popularity, the baseline that every route has to beat: the same list for all users."""

import numpy as np

from marquee.features.interactions import RatingRows
from marquee.features.popularity import Popularity
from trainer.evaluation.measurements import DEPTH, Measurement, measure
from trainer.evaluation.protocols.cases import CasesBySlice
from trainer.evaluation.protocols.splits import Split


def measure_popularity(split: Split, cases: CasesBySlice) -> dict[str, Measurement]:
    """Return the measurements of the most popular movies of the training users, by slice.

    Movies that a case shows are left out of its list.
    """
    movies = split.train.movies
    popularity = Popularity(RatingRows.of(split.train).sums(len(movies)))
    movie_ids = np.array([movie.movie_id for movie in movies], np.int64)
    order = popularity.order(movie_ids, np.ones(len(movies), bool), len(movies))
    return {
        name: measure(chosen, [order[~np.isin(order, case.movies)][:DEPTH] for case in chosen])
        for name, chosen in cases.items()
    }
