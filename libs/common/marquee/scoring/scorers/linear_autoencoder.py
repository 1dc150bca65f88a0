"""Linear autoencoder of ratings in serving: one sparse item × item weight matrix a channel.

The model is EASE (Steck 2019) with dropout taken in expectation (EDLAE, Steck 2020) and separate
channels for liked and other rated movies; `marquee.training.scorers.linear_autoencoder` fits it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.arrays import Integer, Ints, Matrix, Vector, load_arrays, save_arrays
from marquee.domain.likes import is_like
from marquee.features.shortlist import RowSelection

_CHUNK = 64
"""Ratings added at once: what they gather stays in the cache, however many a user has."""


@dataclass(frozen=True, eq=False)
class LinearAutoencoder:
    """score = intercept + Σ weights of the rated movies in the channel liked or not liked.

    Attributes:
        intercept: float32 n, one for each movie row.
        inputs: int32 n, index of a movie among the h movies that have weights, or -1.
        columns: int32 channels × h × w, the movie rows that each input acts on. With one channel a
            movie counts the same whatever its rating.
        values: float32 channels × h × w, their weights.
    """

    intercept: Vector
    inputs: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    values: Matrix

    def deviation(self, movies: Ints, half_stars: Integer, n_rows: int) -> Vector:
        """Return the deviation from the intercept by ratings, n_rows; 0 past the fitted rows."""
        known = movies < len(self.inputs)
        inputs = self.inputs[movies[known]]
        channels = np.where(is_like(half_stars[known]), 0, len(self.columns) - 1)
        channels, inputs = channels[inputs >= 0], inputs[inputs >= 0]
        sums = np.zeros(n_rows)
        for start in range(0, len(inputs), _CHUNK):
            chunk = channels[start : start + _CHUNK], inputs[start : start + _CHUNK]
            columns, values = self.columns[chunk].ravel(), self.values[chunk].ravel()
            sums += np.bincount(columns, values, n_rows)  # much faster than np.add.at
        return sums.astype(np.float32)

    def scores(self, movies: Ints, half_stars: Integer, among: int | RowSelection) -> Vector:
        """Return the scores of a user's rated movie rows and their half stars.

        Args:
            movies: int64 n, rows of the rated movies.
            half_stars: n, their ratings.
            among: the rows to score: a selection, or how many rows of the table.
        """
        n_rows = among if isinstance(among, int) else among.n
        scores = self.deviation(movies, half_stars, n_rows)
        scores[: len(self.intercept)] += self.intercept
        selected: Vector = scores if isinstance(among, int) else scores[among.rows]
        return selected

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
