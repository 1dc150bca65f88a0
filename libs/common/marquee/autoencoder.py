"""A denoising autoencoder of what viewers like, as served: rated films → code → a logit a film."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Autoencoder:
    """code = tanh(Σ inputs / √n + bias), logits = outputs · code + prior (Wu et al. 2016, CDAE).

    For i films and codes of e numbers: `inputs` float32 2i × e, the rows of liked films first, then
    those of films rated but not liked; `bias` float32 e; `outputs` float32 i × e; `prior` i.
    """

    inputs: Matrix
    bias: Matrix
    outputs: Matrix
    prior: Matrix

    @property
    def films(self) -> int:
        """How many films it knows."""
        return len(self.inputs) // 2

    def code(self, rows: npt.NDArray[np.int64], liked: npt.NDArray[np.bool_]) -> Matrix:
        """Return the code (e) of a viewer who rated the films `rows`, n, and which he `liked`."""
        total = self.inputs[np.where(liked, rows, rows + self.films)].sum(axis=0)
        code: Matrix = np.tanh(total / np.float32(np.sqrt(max(1, len(rows)))) + self.bias)
        return code

    def logits(self, code: Matrix) -> Matrix:
        """Return the preference for each film, i, of a code."""
        logits: Matrix = self.outputs @ code + self.prior
        return logits
