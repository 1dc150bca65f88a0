"""Limit of what the gateway takes on: requests under way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.concurrency import AdaptiveLimit
from gateway.http.middleware import SECURITY_HEADERS
from gateway.http.problem_details import problem
from marquee import telemetry
from marquee.health import PROBES

BATCH: Final = "/v1/recommendations/batch"
"""Path of lists for mails, which are better made later than made of popular films."""
_PLACE: Final = "marquee.place"
"""Key of a scope: the place that the request has taken."""
AGAIN_S: Final = 0.05
"""Seconds between two tries of who waits for a place."""
SPARE_S: Final = 2.0
"""Seconds for which who can wait lets others go first."""


class Place:
    """The place of one request among those under way; it may be given back, and taken again."""

    __slots__ = ("_is_held", "_limit", "is_of_reserve")

    def __init__(self, limit: AdaptiveLimit) -> None:
        self._limit, self._is_held, self.is_of_reserve = limit, False, False

    def take(self, spare: bool = False) -> bool:
        """Take it, a `spare` one or any; return whether there was one."""
        if not self._is_held:
            self._is_held = self._limit.enter(spare)
        return self._is_held

    def take_of_reserve(self) -> bool:
        """Take one beyond the limit, of a request that asks no model service."""
        self._is_held = self.is_of_reserve = self._limit.enter_reserve()
        return self._is_held

    def give_back(self) -> None:
        """Give it back: the request has nothing to do for a while."""
        if self._is_held:
            self._is_held = self.is_of_reserve = False
            self._limit.leave()

    @asynccontextmanager
    async def held(self, *, can_wait: bool = False) -> AsyncIterator[None]:
        """Hold the place within the block, waiting until there is one.

        Args:
            can_wait: Whether to leave half of the places to requests for a while.
        """
        until = time.monotonic() + SPARE_S
        while not self.take(can_wait and time.monotonic() < until):
            await asyncio.sleep(AGAIN_S)
        try:
            yield
        finally:
            self.give_back()


_OWN: ContextVar[Place | None] = ContextVar("place", default=None)
"""The place of the request in work."""


@asynccontextmanager
async def place_free() -> AsyncIterator[None]:
    """Leave the place of the request to others within the block, in which it only waits.

    Otherwise those who name a change that is far ahead would hold every place for seconds.
    """
    place = _OWN.get()
    if place is None:
        yield
        return
    place.give_back()
    yield
    # Under lasting overload new requests would take each place: whoever waits goes on in the end.
    until = time.monotonic() + SPARE_S
    while not place.take() and time.monotonic() < until:
        await asyncio.sleep(AGAIN_S)


def leave_place() -> None:
    """Leave the place of the request to others: all that it has to do yet is to wait, and answer.

    A bus that does not answer would hold all places by writes that wait for it, and lists need it
    for nothing.
    """
    if (place := _OWN.get()) is not None:
        place.give_back()


def spares_models() -> bool:
    """Return whether the request in work is one beyond the limit: it asks no model service.

    Its list is one of popular films, which costs little, and says so.
    """
    place = _OWN.get()
    return place is not None and place.is_of_reserve


def place_of(scope: Scope) -> Place:
    """Return the place of a request."""
    place: Place = scope[_PLACE]
    return place


class OverloadMiddleware:
    """Refuses requests beyond a number under way with 503, at once.

    Beyond it more requests would only wait longer, until none is answered in time. In trouble of a
    moment a reserve of them is answered without the model services instead. Probes and metrics
    are never refused: a busy process is not a dead one. Only requests that have arrived as a whole
    come here, so that slow senders cannot hold the places of others.
    """

    def __init__(self, app: ASGIApp, limit: int | AdaptiveLimit) -> None:
        """Count nothing yet.

        Args:
            app: The app.
            limit: Requests under way, at most; or what counts them.
        """
        self._app = app
        self._limit = AdaptiveLimit(limit) if isinstance(limit, int) else limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        scope[_PLACE] = place = Place(self._limit)
        if not (place.take() or (scope["path"] != BATCH and place.take_of_reserve())):
            await _refuse(send)
            return
        if place.is_of_reserve:
            telemetry.SPARED.inc()
        _OWN.set(place)
        try:
            await self._app(scope, receive, send)
        finally:
            place.give_back()


class EarlyRefusal:
    """Refuses what has no place before anything else looks at it: the outermost middleware.

    Every refusal takes time from good answers. `OverloadMiddleware` gives the places, further in.
    """

    def __init__(self, app: ASGIApp, limit: AdaptiveLimit) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        is_full = self._limit.is_full and not self._limit.has_reserve
        if is_full and scope["type"] == "http" and scope["path"] not in PROBES:
            await _refuse(send)
        else:
            await self._app(scope, receive, send)


_REFUSAL = problem(
    "overloaded",
    "as many requests as the gateway takes on are under way",
    headers=SECURITY_HEADERS,
)
_START = {
    "type": "http.response.start",
    "status": _REFUSAL.status_code,
}
_BODY = {"type": "http.response.body", "body": _REFUSAL.body}


async def _refuse(send: Send) -> None:
    """Refuse a request by an answer that was made beforehand."""
    telemetry.OVERLOADED.inc()
    await send({**_START, "headers": list(_REFUSAL.raw_headers)})
    await send(_BODY)
