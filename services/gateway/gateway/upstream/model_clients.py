"""HTTP clients of the model services: a deadline per call, a circuit breaker per service.

While a circuit is open no request waits for the service: a background task probes its health call
until it answers.
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

_PROBE = Call("GET", "/health/live")
"""The call that tells whether a service with an open circuit answers again."""


class Transport(Protocol):
    """HTTP transport to one service."""

    async def send(self, method: str, path: str, body: bytes | None = None) -> RawReply:
        """Send one call and return its reply.

        Raises:
            OSError: There is no complete reply.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class HttpModels:
    """Model services over HTTP, a transport for each by name."""

    def __init__(self, transports: Mapping[str, Transport], pause: float = PAUSE_S) -> None:
        self._transports = transports
        self._pause = pause
        self._breakers = {name: CircuitBreaker() for name in transports}
        self._probes: dict[str, asyncio.Task[None]] = {}

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
        """Return a service's reply to any internal call; never raises."""
        if self._breakers[service].open:
            return Failure(
                f"{service} is left alone for a moment after failed calls", unresponsive=True
            )
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
        for probe in self._probes.values():
            probe.cancel()
        for transport in self._transports.values():
            await transport.close()

    async def _send(self, service: str, call: Call) -> RawReply | Failure:
        """Send a call whatever the state of the circuit; a failure counts and may open it."""
        content = None if call.body is None else orjson.dumps(call.body)
        try:
            async with asyncio.timeout(call.seconds):
                return await self._transports[service].send(call.method, call.path, content)
        except TimeoutError:
            self._breakers[service].timed_out()
            why = f"{service} did not answer within {call.seconds * 1000:.0f} ms"
        except OSError:
            self._breakers[service].failed()
            why = f"{service} cannot be reached"
        if self._breakers[service].open and service not in self._probes:
            self._probes[service] = asyncio.create_task(self._probe(service))
        return Failure(why, unresponsive=True)

    async def _probe(self, service: str) -> None:
        """Probe a service after each pause until it answers."""
        breaker = self._breakers[service]
        try:
            while breaker.open:
                await asyncio.sleep(self._pause)
                if breaker.open and isinstance(await self._send(service, _PROBE), RawReply):
                    breaker.probe_succeeded()
        finally:
            del self._probes[service]
