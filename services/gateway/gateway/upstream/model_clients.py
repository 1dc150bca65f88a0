"""HTTP clients of the model services: a deadline a call, a circuit breaker a service.

While a circuit is broken no request waits for the service: it is tried in the background, by its
health call, until it answers.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import orjson

from gateway.upstream.circuit_breaker import PAUSE_S, CircuitBreaker
from gateway.upstream.http_client import RawReply
from gateway.upstream.models import Call, Failure, RecommendReply, Reply, read_recommended
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.recommendation import Route

_TRIAL = Call("GET", "/health/live")
"""How a service is tried while its circuit is broken."""


class Transport(Protocol):
    """Where a service answers."""

    async def send(self, method: str, path: str, body: bytes | None = None) -> RawReply:
        """Return the reply to one call; OSError when there is none."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class HttpModels:
    """The model services over HTTP, each at its address."""

    def __init__(self, addresses: Mapping[str, Transport], pause: float = PAUSE_S) -> None:
        self._addresses = addresses
        self._pause = pause
        self._breakers = {name: CircuitBreaker() for name in addresses}
        self._trials: dict[str, asyncio.Task[None]] = {}

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> RecommendReply | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        service = MODEL_BY_ROUTE[route]
        reply = await self.call(service, Call("POST", "/internal/recommend", request, seconds))
        if isinstance(reply, Failure):
            return reply
        return read_recommended(reply.body) if reply.ok else reply.failure(service)

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return what a service answers to any internal call; never raises."""
        if self._breakers[service].broken:
            return Failure(f"{service} is left alone for a moment after failed calls", silent=True)
        raw = await self._send(service, call)
        if isinstance(raw, Failure):
            return raw
        self._breakers[service].succeeded()
        try:
            return Reply(raw.status, orjson.loads(raw.body))
        except ValueError:
            return Failure(f"{service} answered what is not JSON")

    async def close(self) -> None:
        """Close the connections."""
        for trial in self._trials.values():
            trial.cancel()
        for address in self._addresses.values():
            await address.close()

    async def _send(self, service: str, call: Call) -> RawReply | Failure:
        """Send a call whatever the circuit; a failure counts, and may break it."""
        content = None if call.body is None else orjson.dumps(call.body)
        try:
            async with asyncio.timeout(call.seconds):
                return await self._addresses[service].send(call.method, call.path, content)
        except TimeoutError:
            self._breakers[service].timed_out()
            why = f"{service} did not answer within {call.seconds * 1000:.0f} ms"
        except OSError:
            self._breakers[service].failed()
            why = f"{service} cannot be reached"
        if self._breakers[service].broken and service not in self._trials:
            self._trials[service] = asyncio.create_task(self._try(service))
        return Failure(why, silent=True)

    async def _try(self, service: str) -> None:
        """Try a service after each pause, until it answers."""
        breaker = self._breakers[service]
        try:
            while breaker.broken:
                await asyncio.sleep(self._pause)
                if breaker.broken and isinstance(await self._send(service, _TRIAL), RawReply):
                    breaker.answered_trial()
        finally:
            del self._trials[service]
