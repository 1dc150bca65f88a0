"""Scores from very few ratings: a linear model with a channel for liked and one for other movies."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.arrays import Integer, Ints, Matrix, load_arrays, save_arrays
from marquee.domain.ratings import POSITIVE
from marquee.features.shortlist import RowSelection

_AT_ONCE = 64
"""Ratings added at once: what they gather stays in the cache, however many a user has."""


@dataclass(frozen=True, eq=False)
class LinearAutoencoder:
    """score = intercept + Σ weights of the movies rated, those of the channel liked or not liked.

    Over n movie rows: `intercept` float32 n; `inputs` int32 n, the place of a movie among the h that
    have weights, or -1. `columns` int32 and `values` float32, channels × h × kept: the movie rows
    that an input acts on, and how much. With one channel a movie counts alike whatever its rating.
    """

    intercept: Matrix
    inputs: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    values: Matrix

    def deviation(self, movies: Ints, half_stars: Integer, n_rows: int) -> Matrix:
        """Return what the ratings add to the intercept, n_rows; rows past the fitted ones get 0."""
        known = movies < len(self.inputs)
        places = self.inputs[movies[known]]
        channels = np.where(half_stars[known] >= POSITIVE, 0, len(self.columns) - 1)
        channels, places = channels[places >= 0], places[places >= 0]
        sums = np.zeros(n_rows)
        for start in range(0, len(places), _AT_ONCE):
            part = channels[start : start + _AT_ONCE], places[start : start + _AT_ONCE]
            columns, values = self.columns[part].ravel(), self.values[part].ravel()
            sums += np.bincount(columns, values, n_rows)  # much faster than np.add.at
        return sums.astype(np.float32)

    def scores(self, movies: Ints, half_stars: Integer, among: int | RowSelection) -> Matrix:
        """Return the scores of so many movie rows, or of those chosen, for rated movie rows and their
        half stars."""
        n_rows = among if isinstance(among, int) else among.n
        scores = self.deviation(movies, half_stars, n_rows)
        scores[: len(self.intercept)] += self.intercept
        chosen: Matrix = scores if isinstance(among, int) else scores[among.rows]
        return chosen

    def save(self, directory: Path, name: str = "few_ratings") -> None:
        """Write `<name>.npz`."""
        save_arrays(
            directory / f"{name}.npz",
            intercept=self.intercept,
            inputs=self.inputs,
            columns=self.columns,
            values=self.values,
        )

    @classmethod
    def load(cls, directory: Path, name: str = "few_ratings") -> "LinearAutoencoder":
        """Read `<name>.npz`."""
        arrays = load_arrays(directory / f"{name}.npz")
        return cls(arrays["intercept"], arrays["inputs"], arrays["columns"], arrays["values"])
