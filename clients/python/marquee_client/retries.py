"""Rule of retries: what is sent again, and after how long."""

import random
import time
from dataclasses import dataclass, field
from typing import Final

RETRIED_STATUSES: Final = frozenset({408, 429, 503, 504})
"""Statuses after which the same request may be answered."""


@dataclass(frozen=True)
class Retries:
    """How often and how long a call is tried; calls that must not be repeated are sent once.

    Between two tries is a random pause whose limit doubles each time, so that many clients do not
    come back together. An answer's Retry-After is waited for, and the pause comes on top of it.

    Attributes:
        attempts: Tries in all, the first one included.
        first_s: Limit of the first pause, in seconds.
        longest_s: The largest limit of a pause, in seconds.
        total_s: A try that could only begin later than so many seconds after the first one is not
            made: the call fails at once.
    """

    attempts: int = 4
    first_s: float = 0.1
    longest_s: float = 5.0
    total_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.first_s, self.longest_s, self.total_s) < 0:
            raise ValueError("Retries: attempts must be 1 or more, seconds 0 or more")

    def pause(self, failed: int, retry_after: float | None, elapsed: float) -> float | None:
        """Return the seconds until the next try, None where there is to be none.

        Args:
            failed: Tries so far, 1 or more.
            retry_after: Seconds that the last answer asks to wait, if it does.
            elapsed: Seconds since the first try began.
        """
        if failed >= self.attempts:
            return None
        # The exponent is bounded, for there is no float of 2 to the power of 1,024.
        limit = min(self.longest_s, self.first_s * 2.0 ** min(failed - 1, 64))
        pause = (retry_after or 0.0) + random.uniform(0.0, limit)
        return pause if elapsed + pause <= self.total_s else None


@dataclass
class Attempts:
    """Tries of one call.

    Attributes:
        retries: The rule.
        repeatable: Whether the call may be sent more than once.
    """

    retries: Retries
    repeatable: bool
    failed: int = 0
    _started: float = field(default_factory=time.monotonic)

    def pause(self, retry_after: float | None = None) -> float | None:
        """Count a failed try; return the seconds until the next one, None if there is none."""
        self.failed += 1
        if not self.repeatable:
            return None
        return self.retries.pause(self.failed, retry_after, time.monotonic() - self._started)
