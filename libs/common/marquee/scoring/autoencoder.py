"""A denoising autoencoder of what users like, as served: rated movies → code → a logit a movie."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Mask, Matrix


@dataclass(frozen=True)
class LowRankCode:
    """code = rows · (hidden - mean): the few directions of a wide layer that move the logits.

    `rows` float32 e × h; `mean` float32 h.
    """

    rows: Matrix
    mean: Matrix


@dataclass(frozen=True)
class Autoencoder:
    """hidden = tanh(Σ inputs / √n + bias), logits = outputs · code + prior (Wu et al. 2016, CDAE).

    For i movies, a layer of h and codes of e numbers: `inputs` float32 2i × h, the rows of liked
    movies first, then those of movies rated but not liked; 3i × h where a movie may be known as seen
    alone. `bias` float32 h; `outputs` float32 i × e; `prior` i. The code is the layer itself, h =
    e, unless it is `condensed`.
    """

    inputs: Matrix
    bias: Matrix
    outputs: Matrix
    prior: Matrix
    condensed: LowRankCode | None = None

    @property
    def movies(self) -> int:
        """How many movies it knows."""
        return len(self.outputs)

    def code(self, rows: Ints, liked: Mask | None) -> Matrix:
        """Return the code (e) of a user who rated the movies `rows`, n, and which he `liked`.

        None: he saw them, and his ratings are not known.
        """
        code: Matrix = self.codes_of(self.hidden(rows, liked)[None])[0]
        return code

    def hidden(self, rows: Ints, liked: Mask | None) -> Matrix:
        """Return the layer (h) of a user; see `code`."""
        if liked is not None:
            places = rows + np.where(liked, 0, self.movies)
        else:  # without inputs of seen movies they count as liked
            places = rows + (2 * self.movies if len(self.inputs) >= 3 * self.movies else 0)
        total = self.inputs[places].sum(axis=0)
        hidden: Matrix = np.tanh(total / np.float32(np.sqrt(max(1, len(rows)))) + self.bias)
        return hidden

    def codes_of(self, hidden: Matrix) -> Matrix:
        """Return the codes, m × e, of m × h layers."""
        codes: Matrix = hidden
        if self.condensed is not None:
            told = (hidden - self.condensed.mean) @ self.condensed.rows.T
            codes = told.astype(np.float32, copy=False)
        return codes

    def logits(self, code: Matrix) -> Matrix:
        """Return the preference for each movie, i, of a code."""
        logits: Matrix = self.outputs @ code + self.prior
        return logits
