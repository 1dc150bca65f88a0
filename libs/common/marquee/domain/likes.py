"""The likes rule: which ratings count as likes, in fits, serving and evaluation alike.

By default a rating of more than 3.5 stars is a like. Where ratings are no opinions (a shop without
stars, whose events say that something was bought or watched), the setting `likes` makes every
rating one. The rule holds for a process, which sets it once at its start; stored sums keep ratings
and positive ratings apart, so that they do not depend on it.
"""

from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from marquee.arrays import Mask

LikesRule = Literal["from-ratings", "every-rating"]

POSITIVE = 8
"""A rating of at least this many half stars is positive (more than 3.5 stars)."""


class _Process:
    """The rule of this process."""

    rule: LikesRule = "from-ratings"


def use_likes(rule: LikesRule) -> None:
    """Set the rule of this process, before the first model is fitted or loaded."""
    _Process.rule = rule


def likes_rule() -> LikesRule:
    """Return the rule of this process."""
    return _Process.rule


@overload
def is_like(half_stars: int) -> bool: ...


@overload
def is_like(half_stars: npt.NDArray[np.integer]) -> Mask: ...


def is_like(half_stars: int | npt.NDArray[np.integer]) -> bool | Mask:
    """Return whether a rating, or which of n ratings, in half stars, count as likes."""
    return half_stars >= (1 if _Process.rule == "every-rating" else POSITIVE)


def like_weights(half_stars: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return by how much each of n likes counts: 1 to 3 by its half stars, 1 by `every-rating`."""
    if _Process.rule == "every-rating":
        return np.ones_like(half_stars)
    return half_stars - POSITIVE + 1
