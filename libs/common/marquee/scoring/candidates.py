"""Candidate mask: the movies that a request allows."""

import numpy as np

from marquee.arrays import Mask
from marquee.domain.movies import genre_mask
from marquee.domain.recommendation import RecommendRequest
from marquee.features.movie_table import MovieTable


def candidates(request: RecommendRequest, movies: MovieTable) -> Mask:
    """Return a mask of the rows that may be recommended: alive, within the filters, unseen."""
    mask = movies.alive.copy()
    if request.genres:
        mask &= (movies.genres & np.uint32(genre_mask(request.genres))) != 0
    if request.year_from is not None:
        mask &= movies.years >= request.year_from
    if request.year_to is not None:
        mask &= (movies.years <= request.year_to) & (movies.years > 0)
    if request.only is not None:
        allowed = np.zeros(len(movies), bool)
        allowed[movies.indexes(request.only)] = True
        mask &= allowed
    seen = (
        *(movie_id for movie_id, _ in request.ratings),
        *request.viewed,
        *request.dismissed,
        *request.exclude,
    )
    mask[movies.indexes(seen)] = False
    return mask
