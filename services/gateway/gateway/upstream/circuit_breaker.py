"""Circuit breaker: a failing service is spared calls, then tried again (Nygard, Release It!)."""

import time
from collections.abc import Callable

PAUSE_S = 0.5
"""Seconds without calls after a failure; a restarted service answers at the next probe."""
MAX_TIMEOUTS = 3
"""Timeouts in a row that open the circuit; a failed connection opens it at once."""


class CircuitBreaker:
    """Breaker of one service. Closed: calls pass; open: none does; half open: one caller tries."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._timeouts = 0
        self._open_until: float | None = None

    def allows(self) -> bool:
        """Return whether to call now; after the pause one caller gets True, all others False."""
        if self._open_until is None:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + PAUSE_S
        return True

    @property
    def open(self) -> bool:
        """Whether the service has failed and not answered since."""
        return self._open_until is not None

    def probe_succeeded(self) -> None:
        """Record an answered probe: it proves little, one more timeout opens the circuit again."""
        self._timeouts = MAX_TIMEOUTS - 1
        self._open_until = None

    def succeeded(self) -> None:
        """Record an answer: close the circuit."""
        self._timeouts = 0
        self._open_until = None

    def timed_out(self) -> None:
        """Record a timeout."""
        self._timeouts += 1
        if self._timeouts >= MAX_TIMEOUTS:
            self._open_until = self._clock() + PAUSE_S

    def failed(self) -> None:
        """Record a failed connection: open the circuit."""
        self._open_until = self._clock() + PAUSE_S
