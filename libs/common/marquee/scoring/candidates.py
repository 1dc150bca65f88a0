"""Candidate mask: which movies a request allows."""

import numpy as np
import numpy.typing as npt

from marquee.domain.movies import genre_mask
from marquee.domain.recommendation import RecommendRequest
from marquee.features.movie_table import Films


def candidates(request: RecommendRequest, films: Films) -> npt.NDArray[np.bool_]:
    """Return which rows of `films` may be in the answer: alive, within the filters, not seen."""
    mask = films.alive.copy()
    if request.genres:
        mask &= (films.genres & np.uint32(genre_mask(request.genres))) != 0
    if request.year_from is not None:
        mask &= films.years >= request.year_from
    if request.year_to is not None:
        mask &= (films.years <= request.year_to) & (films.years > 0)
    if request.only is not None:
        allowed = np.zeros(len(films), bool)
        allowed[films.indexes(request.only)] = True
        mask &= allowed
    seen = (
        *(movie_id for movie_id, _ in request.ratings),
        *request.viewed,
        *request.dismissed,
        *request.exclude,
    )
    mask[films.indexes(seen)] = False
    return mask
