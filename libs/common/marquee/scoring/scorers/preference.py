"""Preference scorers shared by three models: autoencoders, implicit ALS, linear autoencoder.

Each gives the log of how likely a user is to like a movie, so that a weighted sum of them is a
product of experts (Hinton 2002): what all find likely comes first, and no scale has to be guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from marquee.arrays import Floating, Integer, Ints, Matrix, Vector, load_arrays, save_arrays
from marquee.domain.likes import POSITIVE, is_like
from marquee.features.row_layout import RowLayout
from marquee.features.shortlist import RowSelection, all_rows
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.scorers.als import AlsFactors
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder

PREFERENCE_SIGNALS = ("preference", "als", "few_ratings")
"""Names of the signals that are always there."""
FIRST = "first"
"""Name of the signal of the autoencoder of first ratings."""

_FILE = "taste_encoder.npz"

ALS_FLOOR = 0.03
_LINEAR_FLOOR = 0.02
"""Scores near 0 are noise: their logs tell little below these."""


def log_share(scores: Floating, floor: float) -> Vector:
    """Return log(floor + scores), with negative scores as 0."""
    logs: Vector = np.log(np.maximum(scores, 0).astype(np.float32) + np.float32(floor))
    return logs


def popularity_penalty(popularity: Vector, ratings: int) -> Vector:
    """Return -log(ratings) · log popularity: the more ratings a user has, the less it tells."""
    return np.float32(-np.log(max(1, ratings))) * popularity


@dataclass(frozen=True)
class ColdStartImputer:
    """Predicts linear scores at cold rows, of m; see `ColdStartModel.fill` for `prior`, `cold`."""

    model: ColdStartModel
    prior: Vector
    cold: Vector

    def fill(self, linear: Vector, als: Vector) -> Vector:
        """Return the linear autoencoder's scores, m, with those of cold rows predicted."""
        return self.model.fill(linear, als, self.prior, self.cold)


class NoImputation:
    """Stands in for `ColdStartImputer` where no row is cold."""

    def fill(self, linear: Vector, als: Vector) -> Vector:  # noqa: ARG002
        """Return the scores as they are."""
        return linear


@dataclass(frozen=True, eq=False)
class PreferenceScorers:
    """The scorers over n base movies, whose rows are laid out as `layout` says.

    Attributes:
        autoencoder: learned from random parts of histories.
        factors: of implicit ALS.
        short_history: linear autoencoder of few ratings.
        first: autoencoder learned from first ratings in time; None in older bundles and for data
            without usable times.
    """

    autoencoder: Autoencoder
    factors: AlsFactors
    short_history: LinearAutoencoder
    first: Autoencoder | None = None

    @cached_property
    def layout(self) -> RowLayout:
        """Layout of a movie's row: ALS factor, output and prior of each autoencoder."""
        return RowLayout(**self.widths)

    @property
    def widths(self) -> Mapping[str, int]:
        """Widths of the blocks of a row, for layouts that begin with them."""
        widths = {"factor": self.factors.f, "output": self.autoencoder.e, "output_prior": 1}
        if self.first is not None:
            widths |= {"first_output": self.first.e, "first_prior": 1}
        return widths

    @property
    def d(self) -> int:
        """Width of a movie's row."""
        return self.layout.width

    def rows(self) -> Matrix:
        """Return the rows of the base movies, n × d."""
        networks = (self.autoencoder,) if self.first is None else (self.autoencoder, self.first)
        parts = [part for n in networks for part in (n.outputs, n.prior[:, None])]
        rows: Matrix = np.hstack([self.factors.items, *parts])
        return rows

    def code(self, movies: Ints, half_stars: Integer | None) -> Vector:
        """Return the autoencoder's code, e, of a user; arguments as of `signals`."""
        return _code(self.autoencoder, movies, half_stars)

    def signals(
        self,
        movies: Ints,
        half_stars: Integer | None,
        table: Matrix,
        imputer: ColdStartImputer | NoImputation,
        code: Vector | None = None,
        selection: RowSelection | None = None,
    ) -> dict[str, Vector]:
        """Return the log scores by signal name, float32 m each.

        Args:
            movies: int64 n, the user's movies as rows of the table.
            half_stars: n, their ratings; None where the movies were seen and ratings are unknown.
            table: float32 rows × width, whose first d columns are laid out as `layout` says.
            imputer: predicts scores of cold rows among the selected ones.
            code: float32 e, the user's code, if it is known already.
            selection: the m rows to score; None: all.
        """
        selection = all_rows(table) if selection is None else selection
        rows, factor = selection.vectors, self.layout["factor"]
        stars = np.full(len(movies), POSITIVE) if half_stars is None else half_stars
        als = rows[:, factor] @ self.factors.fold_in(table[movies, factor], stars)
        linear = self.short_history.scores(movies, stars, selection)
        code = self.code(movies, half_stars) if code is None else code
        outputs = self.layout.block(rows, "output")
        signals = {
            "preference": outputs @ code + self.layout.column(rows, "output_prior"),
            "als": log_share(als, ALS_FLOOR),
            "few_ratings": log_share(imputer.fill(linear, als), _LINEAR_FLOOR),
        }
        if self.first is not None:
            first_code = _code(self.first, movies, half_stars)
            outputs, prior = self.layout.block(rows, "first_output"), "first_prior"
            signals[FIRST] = outputs @ first_code + self.layout.column(rows, prior)
        return signals

    def save(self, directory: Path) -> None:
        """Write `taste_encoder.npz`, `item_factors.npz`, `few_ratings.npz`; not the rows."""
        arrays = self.autoencoder.user_arrays()
        if self.first is not None:
            arrays |= {f"first_{name}": a for name, a in self.first.user_arrays().items()}
        save_arrays(directory / _FILE, **arrays)
        self.factors.save(directory)
        self.short_history.save(directory)

    @classmethod
    def load(cls, directory: Path, rows: Matrix) -> "PreferenceScorers":
        """Read the files that `save` writes; `rows` are those of the base movies."""
        arrays, factors = load_arrays(directory / _FILE), AlsFactors.load(directory)
        start = factors.f
        network = Autoencoder.of_arrays(arrays, rows[:, start:])
        first = None
        if f"{FIRST}_inputs" in arrays:
            own = {name.removeprefix("first_"): a for name, a in arrays.items() if FIRST in name}
            first = Autoencoder.of_arrays(own, rows[:, start + network.e + 1 :])
        return cls(network, factors, LinearAutoencoder.load(directory), first)


def _code(network: Autoencoder, movies: Ints, half_stars: Integer | None) -> Vector:
    known = movies < network.movies
    liked = None if half_stars is None else is_like(half_stars[known])
    return network.code(movies[known], liked)
