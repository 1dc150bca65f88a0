"""Adam (Kingma and Ba 2015) on numpy arrays, with a cosine schedule and decoupled weight decay."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Matrix

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_MIN_RATE = 0.01
"""Share of the learning rate at the end of the schedule."""


class Adam:
    """Optimiser of arrays in place; weight decay as by Loshchilov and Hutter 2019 (AdamW)."""

    def __init__(
        self, arrays: Sequence[Matrix], learning_rate: float, decay: float, steps: int
    ) -> None:
        """Take the arrays, and the number of steps of the schedule; vectors do not decay."""
        self._arrays = arrays
        self._learning_rate, self._decay, self._steps = learning_rate, decay, steps
        self._step = 0
        self._first = [np.zeros_like(array) for array in arrays]
        self._second = [np.zeros_like(array) for array in arrays]
        self._buffers = [np.empty_like(array) for array in arrays]

    def step(self, gradients: Sequence[Matrix]) -> None:
        """Update the arrays by their gradients."""
        self._step += 1
        cosine = 0.5 * (1 + np.cos(np.pi * (self._step - 1) / self._steps))
        rate = self._learning_rate * max(cosine, _MIN_RATE)
        correction = np.sqrt(1 - _BETA_2**self._step) / (1 - _BETA_1**self._step)
        for array, gradient, first, second, buffer in zip(
            self._arrays, gradients, self._first, self._second, self._buffers, strict=True
        ):
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
            if self._decay and array.ndim == 2:
                array *= np.float32(1 - rate * self._decay)
            buffer *= np.float32(rate * correction)
            array -= buffer
