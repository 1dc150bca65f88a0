"""Ratings shown to a training, and those held out of it."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Mask
from marquee.features.interactions import RatingRows


@dataclass(frozen=True, eq=False)
class RatingSplit:
    """What training and validation know: ratings shown, and held-out ones of the same users."""

    shown: RatingRows
    held_out: RatingRows


def only(rows: RatingRows, keep: Mask) -> RatingRows:
    """Return the rows with only the ratings where `keep` is true."""
    starts = np.concatenate([[0], np.cumsum(keep)])[rows.starts]
    return RatingRows(starts, rows.movies[keep], rows.half_stars[keep])
