"""Denoising autoencoder of users' ratings in serving: rated movies → code → one logit a movie.

The architecture is CDAE (Wu et al. 2016) without user nodes, trained with the multinomial loss of
Liang et al. 2018 (`marquee.training.scorers.autoencoder`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Mask, Matrix, Vector


@dataclass(frozen=True)
class LowRankCode:
    """Linear compression of the hidden layer: code = rows · (hidden - mean).

    Attributes:
        rows: float32 e × h, the directions of the layer that move the logits.
        mean: float32 h, the mean of the layer.
    """

    rows: Matrix
    mean: Vector


@dataclass(frozen=True)
class Autoencoder:
    """hidden = tanh(Σ inputs / √n + bias), logits = outputs · code + prior, over i movies.

    Attributes:
        inputs: float32 2i × h, the rows of liked movies first, then those of movies rated but not
            liked; 3i × h where there is a third channel, of movies seen with unknown ratings.
        bias: float32 h.
        outputs: float32 i × e.
        prior: float32 i.
        low_rank: makes codes of hidden layers; without it the layer itself is the code, e = h.
    """

    inputs: Matrix
    bias: Vector
    outputs: Matrix
    prior: Vector
    low_rank: LowRankCode | None = None

    @property
    def movies(self) -> int:
        """Number of movies."""
        return len(self.outputs)

    @property
    def e(self) -> int:
        """Length of a code."""
        return int(self.outputs.shape[1])

    def user_arrays(self) -> dict[str, Matrix]:
        """Return what makes codes of users, by name; movies' rows hold outputs and prior."""
        arrays = {"inputs": self.inputs, "bias": self.bias}
        if self.low_rank is not None:
            arrays |= {"rows": self.low_rank.rows, "mean": self.low_rank.mean}
        return arrays

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Matrix], rows: Matrix) -> "Autoencoder":
        """Return the network of `user_arrays` and of i rows that begin with outputs and prior."""
        low_rank = LowRankCode(arrays["rows"], arrays["mean"]) if "rows" in arrays else None
        e = len(arrays["bias"] if low_rank is None else low_rank.rows)
        return cls(arrays["inputs"], arrays["bias"], rows[:, :e], rows[:, e], low_rank)

    def code(self, rows: Ints, liked: Mask | None) -> Vector:
        """Return the code, e, of a user who rated the movies `rows`.

        Args:
            rows: int64 n.
            liked: bool n, which of them the user liked; None where ratings are not known.
        """
        code: Vector = self.codes_of(self.hidden(rows, liked)[None])[0]
        return code

    def hidden(self, rows: Ints, liked: Mask | None) -> Vector:
        """Return the hidden layer, h, of a user; arguments as of `code`."""
        if liked is not None:
            input_rows = rows + np.where(liked, 0, self.movies)
        else:  # without a channel of seen movies they count as liked
            has_seen_channel = len(self.inputs) >= 3 * self.movies
            input_rows = rows + (2 * self.movies if has_seen_channel else 0)
        total = self.inputs[input_rows].sum(axis=0)
        hidden: Vector = np.tanh(total / np.float32(np.sqrt(max(1, len(rows)))) + self.bias)
        return hidden

    def codes_of(self, hidden: Matrix) -> Matrix:
        """Return the codes, m × e, of hidden layers, m × h."""
        codes: Matrix = hidden
        if self.low_rank is not None:
            projected = (hidden - self.low_rank.mean) @ self.low_rank.rows.T
            codes = projected.astype(np.float32, copy=False)
        return codes

    def logits(self, code: Vector) -> Vector:
        """Return the logit of each movie, i, for a code, e."""
        logits: Vector = self.outputs @ code + self.prior
        return logits
