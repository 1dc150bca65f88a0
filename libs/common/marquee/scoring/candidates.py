"""Candidate masks: the movies that a request allows."""

import numpy as np

from marquee.arrays import Mask
from marquee.domain.recommendation import AnyRecommendRequest, CandidateFilter
from marquee.features.movie_table import MovieTable


def filter_mask(allowed: CandidateFilter, movies: MovieTable) -> Mask:
    """Return a mask of the rows that a filter allows: alive and neither excluded nor outside."""
    mask = movies.alive.copy()
    if allowed.genres:
        mask &= (movies.genres & movies.genre_mask(allowed.genres)) != 0
    if allowed.genres_not:
        mask &= (movies.genres & movies.genre_mask(allowed.genres_not)) == 0
    if allowed.year_from is not None:
        mask &= movies.years >= allowed.year_from
    if allowed.year_to is not None:
        mask &= (movies.years <= allowed.year_to) & (movies.years > 0)
    if allowed.only is not None:
        listed = np.zeros(len(movies), bool)
        listed[movies.indexes(allowed.only)] = True
        mask &= listed
    mask[movies.indexes(allowed.exclude)] = False
    return mask


def candidates(request: AnyRecommendRequest, movies: MovieTable) -> Mask:
    """Return a mask of the rows that may be recommended: within the filter, and unseen."""
    mask = filter_mask(request, movies)
    mask[movies.indexes(request.seen)] = False
    return mask
