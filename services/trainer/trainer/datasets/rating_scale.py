"""Warnings about the ratings of a data set that cannot tell likes from other ratings."""

import numpy as np

from marquee.domain.likes import is_like, likes_rule
from marquee.features.dataset import Dataset

_SETTING = "set MARQUEE_LIKES=every-rating for every process"
_REMEDY = f"import them with --likes if each row is a like, or {_SETTING} and train again"


def rating_warnings(dataset: Dataset) -> list[str]:
    """Return what the likes rule of this process makes of the ratings where that is of no use.

    A line each, with its remedy: no rating counts as a like, or all ratings are equal.
    """
    half_stars = dataset.half_stars
    if not len(half_stars):
        return []
    first, are_likes = float(half_stars[0] / 2), bool(is_like(half_stars).any())
    warnings = []
    if not are_likes:
        warnings.append(
            f"none of {len(half_stars):,} ratings is above 3.5 stars, so none counts as a like and "
            f"no taste can be learned: {_REMEDY}; or import ratings in stars of 0.5 to 5"
        )
    if len(half_stars) > 1 and bool(np.all(half_stars == half_stars[0])):
        warnings.append(
            f"all {len(half_stars):,} ratings are {first:g} stars, so they tell what was chosen, "
            f"not how it was liked, and each predicted rating will be {first:g}: "
            f"{_remedy_of_equal(are_likes)}"
        )
    return warnings


def _remedy_of_equal(are_likes: bool) -> str:
    """Return what helps where all ratings are equal, and likes or not by the rule."""
    if likes_rule() == "every-rating":
        return "expect no more of predicted ratings"
    if not are_likes:
        return _REMEDY
    return (
        "they count as likes, as rows do with --likes; if those to come are likes too, whatever"
        f" their stars, {_SETTING} and train again"
    )
