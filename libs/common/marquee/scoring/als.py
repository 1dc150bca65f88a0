"""Implicit ALS as served: the item factors, and a user's factor solved from his ratings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Integer, Matrix, Reals, load_arrays, save_arrays
from marquee.domain.ratings import POSITIVE


@dataclass(frozen=True, eq=False)
class AlsFactors:
    """Hu, Koren and Volinsky 2008: `items` float32 n × f, `gram` f × f = itemsᵀ·items + penalty·I.

    A liked movie has preference 1 with confidence `liked`, another rated movie preference 0 with
    confidence `other`, a movie not rated preference 0 with confidence 1.
    """

    items: Matrix
    gram: Reals
    liked: float
    other: float
    users: Reals
    """f × f: usersᵀ·users + penalty·I."""
    trust: float = 1.0
    """Weight of `users` where a movie's factor is a prediction that its first raters correct."""

    @property
    def f(self) -> int:
        """Number of factors."""
        return int(self.items.shape[1])

    def fold_in(self, rows: Matrix, half_stars: Integer) -> Matrix:
        """Return the factor, f, of a user who rated movies with factors `rows`, n × f."""
        likes = half_stars >= POSITIVE
        confidence = np.where(likes, self.liked, self.other)
        system = self.gram + (rows.T * (confidence - 1)) @ rows
        right = rows.T @ (confidence * likes)
        factor: Matrix = np.linalg.solve(system, right).astype(np.float32)
        return factor

    def equations(self, users: Matrix, half_stars: Integer) -> tuple[Reals, Reals]:
        """Return Σ c·xxᵀ (f × f) and Σ c·p·x (f) of the n × f factors of a movie's raters."""
        likes = half_stars >= POSITIVE
        confidence = np.where(likes, self.liked, self.other)
        x = users.astype(np.float64)
        return (x.T * confidence) @ x, x.T @ (confidence * likes)

    def refine(self, factor: Matrix, matrix: Reals, right: Reals) -> Matrix:
        """Return a predicted factor, f, corrected by the equations of those who rated the movie.

        The least squares of ALS over the raters, with the prediction in the place of zero: it stays
        without raters, and gives way to them as they come.
        """
        step = np.linalg.solve(self.trust * self.users + matrix, right - matrix @ factor)
        refined: Matrix = (factor + step).astype(np.float32)
        return refined

    def save(self, directory: Path) -> None:
        """Write `item_factors.npz`."""
        save_arrays(
            directory / "item_factors.npz",
            items=self.items,
            gram=self.gram,
            confidence=np.array([self.liked, self.other, self.trust]),
            users=self.users,
        )

    @classmethod
    def load(cls, directory: Path) -> "AlsFactors":
        """Read `item_factors.npz`."""
        arrays = load_arrays(directory / "item_factors.npz")
        liked, other, trust = arrays["confidence"].tolist()
        return cls(arrays["items"], arrays["gram"], liked, other, arrays["users"], trust)
