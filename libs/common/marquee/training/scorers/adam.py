"""Adam (Kingma and Ba 2015) on numpy arrays, with a cosine schedule and decoupled weight decay."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Floating, Matrix

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_MIN_RATE = 0.01
"""Share of the learning rate at the end of the schedule."""
_BLOCK = 32_768
"""Elements updated at a time: the four blocks of an update stay in the processor's cache."""


class Adam:
    """Optimiser of arrays in place; weight decay as by Loshchilov and Hutter 2019 (AdamW)."""

    def __init__(
        self, arrays: Sequence[Matrix], learning_rate: float, decay: float, steps: int
    ) -> None:
        """Take the arrays, and the number of steps of the schedule; vectors do not decay."""
        self._learning_rate, self._decay, self._steps = learning_rate, decay, steps
        self._step = 0
        # A view of each array, never a copy, which would take the updates alone.
        flat = [np.reshape(array, -1, copy=False) for array in arrays]
        self._states = [
            (one, np.zeros_like(one), np.zeros_like(one), array.ndim == 2)
            for one, array in zip(flat, arrays, strict=True)
        ]
        self._buffer = np.empty(_BLOCK, np.float32)

    def step(self, gradients: Sequence[Matrix]) -> None:
        """Update the arrays by their gradients."""
        self._step += 1
        cosine = 0.5 * (1 + np.cos(np.pi * (self._step - 1) / self._steps))
        rate = self._learning_rate * max(cosine, _MIN_RATE)
        correction = np.sqrt(1 - _BETA_2**self._step) / (1 - _BETA_1**self._step)
        for (array, first, second, is_matrix), gradient in zip(
            self._states, gradients, strict=True
        ):
            kept = np.float32(1 - rate * self._decay) if self._decay and is_matrix else None
            flat = (array, gradient.reshape(-1), first, second)
            for start in range(0, len(array), _BLOCK):
                block = [one[start : start + _BLOCK] for one in flat]
                self._update(*block, kept=kept, rate=np.float32(rate * correction))

    def _update(
        self,
        array: Floating,
        gradient: Floating,
        first: Floating,
        second: Floating,
        *,
        kept: np.float32 | None,
        rate: np.float32,
    ) -> None:
        """Update a block in place; `kept` is the share of it that decay leaves."""
        buffer = self._buffer[: len(array)]
        first *= np.float32(_BETA_1)
        np.multiply(gradient, np.float32(0.1), out=buffer)
        first += buffer
        second *= np.float32(_BETA_2)
        np.multiply(gradient, gradient, out=buffer)
        buffer *= np.float32(0.001)
        second += buffer
        np.sqrt(second, out=buffer)
        buffer += np.float32(_EPSILON)
        np.divide(first, buffer, out=buffer)
        if kept is not None:
            array *= kept
        buffer *= rate
        array -= buffer
