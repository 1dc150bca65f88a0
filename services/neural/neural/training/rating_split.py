"""Split of the ratings into those trained on and those held out."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Mask
from marquee.features.interactions import RatingRows


@dataclass(frozen=True, eq=False)
class RatingSplit:
    """Ratings trained on, and held-out ratings of the same users: row i is one user in both."""

    shown: RatingRows
    held_out: RatingRows

    @classmethod
    def of(cls, rows: RatingRows, shown: Mask, held_out: Mask) -> "RatingSplit":
        """Split the ratings by masks over them; a rating may be in neither part."""
        return cls(select_ratings(rows, shown), select_ratings(rows, held_out))


def select_ratings(rows: RatingRows, keep: Mask) -> RatingRows:
    """Return the same users with only the ratings where `keep` is true."""
    starts = np.concatenate([[0], np.cumsum(keep)])[rows.starts]
    times = None if rows.times is None else rows.times[keep]
    return RatingRows(starts, rows.movies[keep], rows.half_stars[keep], times)
