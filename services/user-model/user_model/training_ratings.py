"""Ratings of the users of the training, which neighbours and segments rest on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, load_arrays, save_arrays

_FILE = "ratings_csr.npz"


@dataclass(frozen=True, eq=False)
class TrainingRatings:
    """The u users of the training, and their ratings by row of the base movies.

    The ratings of user i are the slice from starts[i] to starts[i + 1] (u + 1).
    """

    user_ids: Ints
    starts: Ints
    movies: Ints
    half_stars: npt.NDArray[np.uint8]

    def save(self, directory: Path) -> None:
        """Write `ratings_csr.npz`."""
        save_arrays(
            directory / _FILE,
            user_ids=self.user_ids,
            starts=self.starts,
            films=self.movies.astype(np.int32),
            half_stars=self.half_stars,
        )

    @classmethod
    def load(cls, directory: Path) -> "TrainingRatings":
        """Read `ratings_csr.npz`."""
        arrays = load_arrays(directory / _FILE)
        movies = arrays["films"].astype(np.int64)
        return cls(arrays["user_ids"], arrays["starts"], movies, arrays["half_stars"])
