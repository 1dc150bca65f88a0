"""Implicit ALS in serving: item factors, and the fold-in of users and of new movies.

Hu, Koren and Volinsky 2008, Collaborative Filtering for Implicit Feedback Datasets.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Integer, Matrix, Reals, Vector, load_arrays, save_arrays
from marquee.domain.likes import is_like

_FILE = "item_factors.npz"


@dataclass(frozen=True, eq=False)
class AlsFactors:
    """Item factors and the parts of the normal equations that do not depend on a user.

    A liked movie has preference 1 with confidence `liked`, another rated movie preference 0 with
    confidence `other`, a movie not rated preference 0 with confidence 1.

    Attributes:
        items: float32 n × f.
        gram: float64 f × f, itemsᵀ · items + penalty · I.
        liked: confidence of a liked movie.
        other: confidence of a movie that was rated and not liked.
        users: float64 f × f, usersᵀ · users + penalty · I.
        trust: weight of `users` where a movie's factor is a prediction that raters correct.
    """

    items: Matrix
    gram: Reals
    liked: float
    other: float
    users: Reals
    trust: float = 1.0

    @property
    def f(self) -> int:
        """Number of factors."""
        return int(self.items.shape[1])

    def fold_in(self, rows: Matrix, half_stars: Integer) -> Vector:
        """Return the factor, f, of a user who rated movies with factors `rows`, n × f."""
        likes = is_like(half_stars)
        confidence = np.where(likes, self.liked, self.other)
        system = self.gram + (rows.T * (confidence - 1)) @ rows
        right = rows.T @ (confidence * likes)
        factor: Vector = np.linalg.solve(system, right).astype(np.float32)
        return factor

    def equations(self, users: Matrix, half_stars: Integer) -> tuple[Reals, Reals]:
        """Return the sums of the normal equations of one movie over some of its raters.

        Args:
            users: float32 n × f, the raters' factors.
            half_stars: n, their ratings.

        Returns:
            Σ c·xxᵀ (f × f) and Σ c·p·x (f) for confidence c, preference p, factor x of each rater.
        """
        likes = is_like(half_stars)
        confidence = np.where(likes, self.liked, self.other)
        x = users.astype(np.float64)
        return (x.T * confidence) @ x, x.T @ (confidence * likes)

    def refine(self, factor: Vector, matrix: Reals, right: Reals) -> Vector:
        """Return a predicted movie factor, f, corrected by the equations of the movie's raters.

        Least squares of ALS over the raters, regularised towards the prediction instead of zero:
        without raters the prediction stays, with more of them it weighs less.
        """
        step = np.linalg.solve(self.trust * self.users + matrix, right - matrix @ factor)
        refined: Vector = (factor + step).astype(np.float32)
        return refined

    def save(self, directory: Path) -> None:
        """Write `item_factors.npz`."""
        save_arrays(
            directory / _FILE,
            items=self.items,
            gram=self.gram,
            confidence=np.array([self.liked, self.other, self.trust]),
            users=self.users,
        )

    @classmethod
    def load(cls, directory: Path) -> "AlsFactors":
        """Read `item_factors.npz`."""
        arrays = load_arrays(directory / _FILE)
        liked, other, trust = arrays["confidence"].tolist()
        return cls(arrays["items"], arrays["gram"], liked, other, arrays["users"], trust)

    @classmethod
    def load_if_any(cls, directory: Path) -> "AlsFactors | None":
        """Read `item_factors.npz`; None where there is none."""
        return cls.load(directory) if (directory / _FILE).exists() else None
