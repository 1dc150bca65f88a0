"""The rule of one viewer's events: how many in a time, whoever sends them, and how many in all.

A key with a high rate must not flood one viewer's history. Each replica lets a small share of the
rule pass by itself, so that a call with events of a thousand viewers asks Redis for none of them;
what is beyond the share is counted in Redis, for all replicas together. So one viewer never has
more than the rule and a twentieth of it for each replica.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from marquee.access.rates import Rate
from marquee.domain.ids import id_text
from marquee.errors import Conflict, MarqueeError, TooManyEvents
from marquee.events import (
    Event,
    MovieDismissed,
    MovieViewed,
    RatingAdded,
    UserErased,
    WatchlistAdded,
)
from marquee.events.types import RatingEvent

MAX_HISTORY_BYTES: Final = 1_000_000
"""Bytes of a viewer's packed facts: about 75,000 films with ids that are strings."""
MAX_VIEWERS: Final = 50_000
"""Viewers whose use is kept in memory; the one who was active longest ago is forgotten."""
_SHARE: Final = 20
"""A replica lets one event of so many pass by itself."""
_ADDING: Final = (RatingAdded, MovieViewed, MovieDismissed, WatchlistAdded)


class Limiter(Protocol):
    """Counts what is taken from a bucket, for all replicas."""

    async def grant(self, bucket: str, rate: Rate, n: int) -> tuple[int, float]:
        """Take up to `n`; return how many are given, and the seconds until there is one more."""
        ...


async def _is_empty(_: int) -> int:
    return 0


class ViewerEvents:
    """Counts the events of each viewer."""

    def __init__(
        self,
        limiter: Limiter,
        rate: Rate | None,
        history_bytes: Callable[[int], Awaitable[int]] = _is_empty,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count nothing yet.

        Args:
            limiter: Counts for all replicas.
            rate: The rule; None: none.
            history_bytes: Size of a viewer's stored facts.
            clock: Seconds from any moment.
        """
        self._limiter, self._rate = limiter, rate
        self._history_bytes, self._clock = history_bytes, clock
        self._own: OrderedDict[int, tuple[float, float]] = OrderedDict()

    async def take(self, event: Event) -> None:
        """Count an event of a viewer; an erasure is always allowed.

        Raises:
            TooManyEvents: The viewer has more than the rule allows.
            Conflict: The viewer's history is full, and the event would add to it.
        """
        for refusal in (await self.refused({0: event})).values():
            raise refusal

    async def refused(self, events: Mapping[int, Event]) -> dict[int, MarqueeError]:
        """Count events, by any numbers; return the refused ones, each with the reason.

        After the first one all later ones of a viewer are refused, so that none overtakes another.
        """
        if self._rate is None:
            return {}
        by_viewer: dict[int, list[int]] = {}
        for index, event in events.items():
            if isinstance(event, RatingEvent) and not isinstance(event, UserErased):
                by_viewer.setdefault(event.data.user_id, []).append(index)
        refused: dict[int, MarqueeError] = {}
        for user_id, indices in by_viewer.items():
            beyond = indices[self._passing_here(user_id, len(indices), self._rate) :]
            if beyond:
                refused |= await self._beyond(user_id, {i: events[i] for i in beyond}, self._rate)
        return refused

    async def _beyond(
        self, user_id: int, events: Mapping[int, Event], rate: Rate
    ) -> dict[int, MarqueeError]:
        """Count events of one viewer for all replicas; return the refused ones."""
        name = id_text(user_id)
        given, wait = await self._limiter.grant(f"events {name}", rate, len(events))
        passing, others = list(events)[:given], list(events)[given:]
        text = f"viewer {name} has more than {rate} events, the limit of one viewer whoever sends"
        too_many = TooManyEvents(f"{text} them: send again in {wait:.1f} s", wait)
        refused: dict[int, MarqueeError] = dict.fromkeys(others, too_many)
        adding = [n for n, i in enumerate(passing) if isinstance(events[i], _ADDING)]
        if adding and await self._history_bytes(user_id) > MAX_HISTORY_BYTES:
            text = f"the history of viewer {name} is full ({MAX_HISTORY_BYTES:,} bytes)"
            full = Conflict(f"{text}: take ratings back, or erase the viewer")
            refused |= dict.fromkeys(passing[adding[0] :], full)
        return refused

    def _passing_here(self, user_id: int, n: int, rate: Rate) -> int:
        """Take of the replica's own share; return how many of `n` events it lets pass."""
        share, now = max(1.0, rate.count / _SHARE), self._clock()
        left, at = self._own.pop(user_id, (share, now))
        left = min(share, left + (now - at) * rate.per_second / _SHARE)
        passing = min(n, int(left))
        self._own[user_id] = (left - passing, now)
        if len(self._own) > MAX_VIEWERS:
            self._own.popitem(last=False)
        return passing


class _Unlimited:
    async def grant(self, bucket: str, rate: Rate, n: int) -> tuple[int, float]:
        raise AssertionError(bucket, rate, n)


NO_RULE: Final = ViewerEvents(_Unlimited(), None)
"""Every viewer may have as many events as anybody sends."""
