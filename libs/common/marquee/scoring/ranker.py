"""The protocol of a model that ranks movies for a user."""

from typing import Protocol

from marquee.arrays import Mask
from marquee.domain.recommendation import Scored, UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity


class Ranker(Protocol):
    """A fitted model that ranks its movies."""

    def movies(self) -> MovieTable:
        """Return a new table of the rows that the model was fitted with."""
        ...

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
        /,
        *,
        diversity: float = 0,
    ) -> list[Scored]:
        """Return the k best movies among those of the mask, best first, re-ranked by diversity.

        `popularity` is the live one; None: as at the training.
        """
        ...
