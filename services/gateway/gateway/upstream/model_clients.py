"""HTTP clients of the model services: a deadline per call, replicas in turn, a circuit for each.

While the circuits of all replicas of a service are open no request waits for it: see `Replica`.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from gateway.upstream.circuit_breaker import PAUSE_S
from gateway.upstream.http_client import RawReply
from gateway.upstream.models import Call, Failure, RecommendReply, Reply, read_recommended
from gateway.upstream.replica import Replica, Transport
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.recommendation import Route


class HttpModels:
    """Model services over HTTP: for each by name the transports to its replicas."""

    def __init__(
        self,
        transports: Mapping[str, Sequence[Transport]],
        pause: float = PAUSE_S,
        observe: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            transports: For each service those of its replicas.
            pause: Seconds between two probes of a replica that failed.
            observe: Is told service and seconds of each call that was answered, or timed out.
        """
        self._observe = observe
        self._replicas = {
            name: [Replica(name, transport, pause) for transport in several]
            for name, several in transports.items()
        }
        self._turns = dict.fromkeys(transports, 0)

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> RecommendReply | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        service = MODEL_BY_ROUTE[route]
        waits = bool(request.get("after"))
        call = Call("POST", "/internal/recommend", request, seconds, waits)
        reply = await self.call(service, call)
        if isinstance(reply, Failure):
            return reply
        return read_recommended(reply.body) if reply.ok else reply.failure(service)

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return a service's reply to any internal call; never raises.

        Where a replica is not reached, the next one is asked: every internal call may be repeated.
        """
        began = time.monotonic()
        raw: RawReply | Failure = Failure(
            f"{service} is left alone for a moment after failed calls", unresponsive=True
        )
        for replica in self._in_turn(service):
            raw = await replica.send(call, began + call.seconds - time.monotonic())
            if isinstance(raw, RawReply) or not raw.unreached:
                if not call.waits:
                    self._observe(service, time.monotonic() - began)
                break
        if isinstance(raw, Failure):
            return raw
        try:
            return Reply(raw.status, orjson.loads(raw.body))
        except ValueError:
            return Failure(f"{service} answered what is not JSON")

    async def close(self) -> None:
        """Close the connections."""
        for replicas in self._replicas.values():
            for replica in replicas:
                await replica.close()

    def _in_turn(self, service: str) -> Iterator[Replica]:
        """Yield the replicas to ask, round robin; those with an open circuit are left out."""
        replicas = self._replicas[service]
        self._turns[service] = first = (self._turns[service] + 1) % len(replicas)
        for replica in (*replicas[first:], *replicas[:first]):
            if not replica.is_open:
                yield replica
