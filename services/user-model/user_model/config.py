"""Parameters of the user model's training, and the weights that its blend starts from."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from marquee.arrays import Ints, Reals
from marquee.scoring.scorers.preference import FIRST
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blending import BlendConfig
from marquee.training.scorers.autoencoder import learned_movies
from marquee.training.scorers.preference import PREFERENCE_WEIGHTS, PreferenceConfig
from user_model.segments.fit import SegmentsConfig

DEFAULT_WEIGHTS = {
    **PREFERENCE_WEIGHTS,
    "content": 0.4,
    "near": 0.25,
    "clusters": 0.2,
    "popularity": 0.0,
    TREND: 0.2,
}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
WEIGHTS_IN_TIME = {
    "preference": 0.2,
    "als": 1.4,
    "few_ratings": 0.1,
    FIRST: 0.8,
    "less_popular": 0.05,
    "content": 0.25,
    "near": 0.15,
    "clusters": 0.3,
    "popularity": 0.5,
    TREND: 0.5,
}
"""The same for the first ratings of a user in time: popular movies are still to come."""
MIN_WEIGHTS = {
    "preference": 0.1,
    "als": 0.0,
    "few_ratings": 0.0,
    "near": 0.1,
    "clusters": 0.1,
    FIRST: 0.0,
    TREND: 0.0,
}
"""Lower bounds of learned weights, so that neighbours and clusters keep their part."""


class UserModelConfig(BlendConfig):
    """Parameters of the user model; `without` leaves out signals of its blend."""

    signals: ClassVar[tuple[str, ...]] = tuple(DEFAULT_WEIGHTS)

    taste: PreferenceConfig = PreferenceConfig()
    clusters: int | None = Field(None, ge=1, le=1000)
    """Clusters of users. None: one for 75 users, 2 to 64."""
    reach: int = Field(3, ge=1)
    """Clusters nearest to a user in which neighbours are searched."""
    near: int = Field(100, ge=1)
    """Most neighbours of a user."""
    content: int = Field(48, ge=1)
    """Dimensions of the content embedding."""
    cold_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of the prediction from content."""
    cold_share: float = Field(0.05, ge=0, le=1)
    """Share of movies that would reach the users with the highest scores if they were new."""
    sizes: tuple[int, ...] = (5, 10, 15)
    """Fold-in sizes of the validation; only cases with `positive` liked movies count."""
    positive: int = Field(3, ge=0)
    draws: int = Field(2, ge=1)
    """Fold-ins of each size a user."""
    max_cases: int = Field(1500, ge=0)
    """Fold-ins at most."""
    candidates: int = Field(2000, ge=1)
    """Movies among which the weights of the blend are learned, the most liked ones."""
    segments: SegmentsConfig | None = SegmentsConfig()
    """None: the model has no segments, as in an evaluation of its lists."""

    def importance(self, sums: Ints) -> Reals:
        """Return each movie's weight in a ridge from content; 0 where no autoencoder learned it.

        Args:
            sums: int64 n × 3: ratings, positive ratings, half stars.
        """
        is_learned = learned_movies(sums, self.taste.min_ratings, self.taste.autoencoder.head)
        return np.where(is_learned, np.sqrt(sums[:, 0]), 0.0)
