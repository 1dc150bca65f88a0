"""Warnings about the ratings of a data set that cannot tell likes from other ratings."""

import numpy as np

from marquee.domain.likes import is_like, likes_rule
from marquee.features.dataset import Dataset

_REMEDY = "set MARQUEE_LIKES=every-rating for every process, and train again"


def rating_warnings(dataset: Dataset) -> list[str]:
    """Return what the likes rule of this process makes of the ratings where that is of no use.

    A line each, with its remedy: no rating counts as a like, or all ratings are equal.
    """
    half_stars = dataset.half_stars
    if not len(half_stars):
        return []
    first, every = float(half_stars[0] / 2), likes_rule() == "every-rating"
    warnings = []
    if not is_like(half_stars).any():
        warnings.append(
            f"none of {len(half_stars):,} ratings is above 3.5 stars, so none counts as a like and "
            f"no taste can be learned: {_REMEDY}, or import the ratings in stars of 0.5 to 5"
        )
    if bool(np.all(half_stars == half_stars[0])):
        remedy = "expect no more of predicted ratings" if every else _REMEDY
        warnings.append(
            f"all {len(half_stars):,} ratings are {first:g} stars, so they tell what was chosen, "
            f"not how it was liked, and each predicted rating will be {first:g}: {remedy}"
        )
    return warnings
