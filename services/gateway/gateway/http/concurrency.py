"""How many requests a gateway has under way: as many as keep it quick, within two bounds.

Requests that only wait (for a token, for a bus that does not answer) cost a place and no time, so a
number that is right for busy ones is too small for them. What shows the difference is delay: of the
event loop, in which every request waits for its turn, and of the calls to each model service. While
one of them is above its target the number falls by a fifth each tenth of a second, else it rises by
one: additive increase, multiplicative decrease, as TCP does it. It falls further for slow services,
which then answer in time again, than for a late loop, which answers that refuse make later still.

Trouble of a moment, such as a process that starts beside the others, is not refused: a reserve of
places beyond the limit is there for requests that ask no model service, and it fills up slowly.
"""

import asyncio
import time

LEAST = 16
"""Places that stay, however slow the services are: enough to keep a few cores at work."""
LEAST_OF_LOOP = 32
"""Places that stay, however late the event loop is."""
LAG_S = 0.01
"""Target of the mean delay of the event loop."""
RESERVE = 500.0
"""Requests that may be taken on beyond the limit at once: a few seconds of them."""
RESERVE_PER_S = 10.0
"""How fast the reserve fills up: under lasting overload it takes little from good answers."""
DECREASE = 0.8
TICK_S, WINDOW_S = 0.01, 0.1


class AdaptiveLimit:
    """Counts the requests under way against a limit that follows the load."""

    def __init__(self, most: int, call_s: float = 0.08) -> None:
        """Begin with all places.

        Args:
            most: The upper bound.
            call_s: Target of the mean time of a call to the slowest model service, in seconds.
        """
        self._most, self._call_s = most, call_s
        self._least = min(LEAST, most)
        self._limit = most
        self._under_way = 0
        self._reserve, self._filled = RESERVE, time.monotonic()
        self._lag = _Mean()
        self._calls: dict[str, _Mean] = {}
        self._is_watching = False

    @property
    def limit(self) -> int:
        """The number of requests that may be under way now."""
        return self._limit

    @property
    def is_full(self) -> bool:
        """Whether there is no place."""
        return self._under_way >= self._limit

    def enter(self, spare: bool = False) -> bool:
        """Take a place; return whether there was one.

        Args:
            spare: Only one of those that are free while fewer than half are taken.
        """
        if self.is_full or (spare and self._under_way >= max(1, self._limit // 2)):
            return False
        self._under_way += 1
        if self._under_way > self._least and not self._is_watching:
            self._is_watching = True
            self._tick_after(asyncio.get_running_loop())
        return True

    @property
    def has_reserve(self) -> bool:
        """Whether a place beyond the limit may be taken."""
        if self._under_way >= self._most:
            return False
        now = time.monotonic()
        filled = self._reserve + RESERVE_PER_S * (now - self._filled)
        self._reserve, self._filled = min(RESERVE, filled), now
        return self._reserve >= 1.0

    def enter_reserve(self) -> bool:
        """Take a place beyond the limit; return whether there was one."""
        if not self.has_reserve:
            return False
        self._reserve -= 1.0
        self._under_way += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        self._under_way -= 1

    def observe_call(self, service: str, seconds: float) -> None:
        """Take note of how long a model service took for a call."""
        self._calls.setdefault(service, _Mean()).add(seconds)

    def adjust(self) -> None:
        """Set the limit for the next moment, by the delays of the last one."""
        slowest = max((mean.take() for mean in self._calls.values()), default=0.0)
        is_late, less = self._lag.take() > LAG_S, int(self._limit * DECREASE)
        if slowest > self._call_s:
            self._limit = max(self._least, less)
        elif is_late and self._limit > LEAST_OF_LOOP:
            self._limit = max(LEAST_OF_LOOP, less)
        else:
            self._limit = min(self._most, self._limit + 1)

    def _tick_after(self, loop: asyncio.AbstractEventLoop, adjusted: float | None = None) -> None:
        due = loop.time() + TICK_S
        loop.call_at(due, self._tick, loop, due, loop.time() if adjusted is None else adjusted)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float, adjusted: float) -> None:
        """Measure the delay of the loop: this call is late by it."""
        now = loop.time()
        self._lag.add(now - due)
        if now - adjusted >= WINDOW_S:
            self.adjust()
            adjusted = now
        # A gateway with little to do has nothing to measure.
        self._is_watching = self._limit < self._most or self._under_way > self._least
        if self._is_watching:
            self._tick_after(loop, adjusted)


class _Mean:
    """The mean of what was added since it was last taken."""

    def __init__(self) -> None:
        self._sum, self._n = 0.0, 0

    def add(self, value: float) -> None:
        self._sum += value
        self._n += 1

    def take(self) -> float:
        """Return the mean, 0 of nothing, and begin anew."""
        mean = self._sum / self._n if self._n else 0.0
        self._sum, self._n = 0.0, 0
        return mean
