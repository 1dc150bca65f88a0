"""A circuit breaker: who does not answer is left alone for a moment, then tried again."""

import time
from collections.abc import Callable

PAUSE_S = 0.5
"""So long nobody asks a broken service; a restarted one answers within this and a trial."""
MAX_TIMEOUTS = 3
"""So many timeouts in a row break the circuit; a failed connection breaks it at once."""


class CircuitBreaker:
    """Whether one service may be asked. Closed: yes; open: no; half open: by one caller."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._timeouts = 0
        self._open_until: float | None = None

    def allows(self) -> bool:
        """Return whether to ask now; after the pause one caller gets True, and the rest wait."""
        if self._open_until is None:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + PAUSE_S
        return True

    @property
    def broken(self) -> bool:
        """Whether the service has failed and has not answered since."""
        return self._open_until is not None

    def answered_trial(self) -> None:
        """The service has answered a trial that proves little: one more timeout breaks it again."""
        self._timeouts = MAX_TIMEOUTS - 1
        self._open_until = None

    def succeeded(self) -> None:
        """The service has answered."""
        self._timeouts = 0
        self._open_until = None

    def timed_out(self) -> None:
        """The service has not answered in time."""
        self._timeouts += 1
        if self._timeouts >= MAX_TIMEOUTS:
            self._open_until = self._clock() + PAUSE_S

    def failed(self) -> None:
        """No connection to the service."""
        self._open_until = self._clock() + PAUSE_S
