"""One process of a model service: its transport, its circuit breaker, and its probes."""

import asyncio
from typing import Protocol

from gateway.upstream.circuit_breaker import CircuitBreaker
from gateway.upstream.http_client import RawReply
from gateway.upstream.models import JSON, Call, Failure

ALIVE_S = 1.0
"""A call that may take longer is sent once the replica has answered a probe within this time."""
_PROBE = Call("GET", "/health/live", None, ALIVE_S)
"""The call that tells whether a replica with an open circuit answers again."""


class Transport(Protocol):
    """HTTP transport to one address."""

    async def send(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON
    ) -> RawReply:
        """Send one call and return its reply.

        Raises:
            OSError: There is no complete reply.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class Replica:
    """One process of a service. While its circuit is open, probes ask it until it answers."""

    def __init__(self, service: str, transport: Transport, pause: float) -> None:
        """Connect to nothing yet.

        Args:
            service: Name of the service, for the reasons of failures.
            transport: Reaches the process.
            pause: Seconds between two probes.
        """
        self._service, self._transport, self._pause = service, transport, pause
        self._breaker = CircuitBreaker()
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open, so that no call is to be sent."""
        return self._breaker.open

    async def send(self, call: Call, seconds: float) -> RawReply | Failure:
        """Send a call, waiting at most `seconds`; a failure counts and may open the circuit."""
        raw = await self._send_probed(call, seconds)
        if isinstance(raw, RawReply):
            self._breaker.succeeded()
        elif self._breaker.open and self._probing is None:
            self._probing = asyncio.create_task(self._probe())
        return raw

    async def close(self) -> None:
        """Close the connections."""
        if self._probing is not None:
            self._probing.cancel()
        await self._transport.close()

    async def _send_probed(self, call: Call, seconds: float) -> RawReply | Failure:
        """Send a call, a long one once the process has answered a probe.

        Work may take long; a process that stands still is not worth that wait.
        """
        if call.seconds > ALIVE_S:
            probed = await self._send(_PROBE, min(seconds, ALIVE_S))
            if isinstance(probed, Failure):
                return probed
        return await self._send(call, seconds)

    async def _send(self, call: Call, seconds: float) -> RawReply | Failure:
        try:
            async with asyncio.timeout(seconds):
                return await self._transport.send(
                    call.method, call.path, call.content, call.media_type
                )
        except TimeoutError:
            self._breaker.timed_out()
            why = f"{self._service} did not answer within {call.seconds * 1000:.0f} ms"
            return Failure(why, unresponsive=True)
        except OSError:
            self._breaker.failed()
            why = f"{self._service} cannot be reached"
            return Failure(why, unresponsive=True, unreached=True)

    async def _probe(self) -> None:
        """Probe the process after each pause until it answers."""
        try:
            while self._breaker.open:
                await asyncio.sleep(self._pause)
                if self._breaker.open and isinstance(
                    await self._send(_PROBE, _PROBE.seconds), RawReply
                ):
                    self._breaker.probe_succeeded()
        finally:
            self._probing = None
