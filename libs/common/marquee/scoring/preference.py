"""What routes share to tell a taste: autoencoder, ALS and the linear model of few ratings.

Each gives the log of how likely a user is to like a movie, so that a weighted sum of them is a
product of experts (Hinton 2002): what all find likely comes first, and no scale has to be guessed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Floating, Integer, Ints, Matrix, load_arrays, save_arrays
from marquee.domain.ratings import POSITIVE
from marquee.features.shortlist import RowSelection, all_rows
from marquee.scoring.als import AlsFactors
from marquee.scoring.autoencoder import Autoencoder, LowRankCode
from marquee.scoring.cold_start import NewMovies
from marquee.scoring.linear_autoencoder import LinearAutoencoder

TASTE = ("preference", "als", "few_ratings")
"""The names of its signals."""

_ALS_FLOOR = 0.03
_FEW_FLOOR = 0.02
"""Scores near 0 are noise: their logs tell little below these."""


def log_share(scores: Floating, floor: float) -> Matrix:
    """Return log(floor + scores), negative scores as 0."""
    logs: Matrix = np.log(np.maximum(scores, 0).astype(np.float32) + np.float32(floor))
    return logs


def less_popular(popularity: Matrix, ratings: int) -> Matrix:
    """Return -log(ratings) · log popularity: the more is known of a user, the less it says."""
    return np.float32(-np.log(max(1, ratings))) * popularity


@dataclass(frozen=True)
class Cold:
    """Which of m movie rows nobody had rated (`cold` 1, not 0), and the popularity expected."""

    new_movies: NewMovies
    prior: Matrix
    cold: Matrix

    def fill(self, few: Matrix, als: Matrix) -> Matrix:
        """Return scores of few ratings with those of cold rows predicted."""
        return self.new_movies.fill(few, als, self.prior, self.cold)


class NoneCold:
    """All rows are of rated movies."""

    def fill(self, few: Matrix, als: Matrix) -> Matrix:  # noqa: ARG002
        return few


@dataclass(frozen=True, eq=False)
class PreferenceScorers:
    """The three scorers over n base movies. A movie's row (d) is factor (f), output (e), prior."""

    network: Autoencoder
    factors: AlsFactors
    few_ratings: LinearAutoencoder

    @property
    def d(self) -> int:
        """How many numbers a movie's row has."""
        return self.factors.f + int(self.network.outputs.shape[1]) + 1

    def rows(self) -> Matrix:
        """Return the rows of the base movies, n × d."""
        network = self.network
        rows: Matrix = np.hstack([self.factors.items, network.outputs, network.prior[:, None]])
        return rows

    def code(self, movies: Ints, half_stars: Integer | None) -> Matrix:
        """Return the autoencoder's code (e) of a user; see `signals`."""
        known = movies < self.network.movies
        liked = None if half_stars is None else half_stars[known] >= POSITIVE
        return self.network.code(movies[known], liked)

    def signals(
        self,
        movies: Ints,
        half_stars: Integer | None,
        table: Matrix,
        cold: Cold | NoneCold,
        code: Matrix | None = None,
        chosen: RowSelection | None = None,
    ) -> dict[str, Matrix]:
        """Return the logs by name, m each, for m movie rows of a table, n × d and wider.

        `movies`: rows of the user's movies in it; without `half_stars` he saw them. `code`: his
        code, if it is known. `chosen`: the m rows, which `cold` is of; None: all.
        """
        f, e = self.factors.f, self.network.outputs.shape[1]
        chosen = all_rows(table) if chosen is None else chosen
        rows = chosen.vectors
        stars = np.full(len(movies), POSITIVE) if half_stars is None else half_stars
        als = rows[:, :f] @ self.factors.fold_in(table[movies, :f], stars)
        few = self.few_ratings.scores(movies, stars, chosen)
        outputs = rows[:, f : f + e]
        code = self.code(movies, half_stars) if code is None else code
        return {
            "preference": outputs @ code + rows[:, f + e],
            "als": log_share(als, _ALS_FLOOR),
            "few_ratings": log_share(cold.fill(few, als), _FEW_FLOOR),
        }

    def save(self, directory: Path) -> None:
        """Write `taste_encoder.npz`, `item_factors.npz`, `few_ratings.npz`; not the rows."""
        network = self.network
        arrays = {"inputs": network.inputs, "bias": network.bias}
        if network.condensed is not None:
            arrays |= {"rows": network.condensed.rows, "mean": network.condensed.mean}
        save_arrays(directory / "taste_encoder.npz", **arrays)
        self.factors.save(directory)
        self.few_ratings.save(directory)

    @classmethod
    def load(cls, directory: Path, rows: Matrix) -> "PreferenceScorers":
        """Read what `save` wrote; `rows` are those of the base movies."""
        arrays = load_arrays(directory / "taste_encoder.npz")
        factors = AlsFactors.load(directory)
        condensed = LowRankCode(arrays["rows"], arrays["mean"]) if "rows" in arrays else None
        e = len(arrays["bias"] if condensed is None else condensed.rows)
        outputs, prior = rows[:, factors.f : factors.f + e], rows[:, factors.f + e]
        network = Autoencoder(arrays["inputs"], arrays["bias"], outputs, prior, condensed)
        return cls(network, factors, LinearAutoencoder.load(directory))
