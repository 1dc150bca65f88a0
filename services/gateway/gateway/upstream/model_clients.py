"""HTTP clients of the model services: a deadline per call, replicas in turn, a circuit for each.

While the circuits of all replicas of a service are open no request waits for it: see `Replica`.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from gateway.upstream.circuit_breaker import PAUSE_S
from gateway.upstream.http_client import RawReply
from gateway.upstream.models import Call, Failure, RecommendReply, Reply, read_recommended
from gateway.upstream.replica import Replica, Transport
from gateway.upstream.user_request import UserRequest
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.recommendation import PACKED_REQUEST, Route

RELEASE_S = 60.0
"""For how long a service that does not read packed facts is asked in JSON alone."""
_RECOMMEND = "/internal/recommend"
_NOT_UNDERSTOOD = (400, 415, 422)


class HttpModels:
    """Model services over HTTP: for each by name the transports to its replicas."""

    def __init__(
        self,
        transports: Mapping[str, Sequence[Transport]],
        pause: float = PAUSE_S,
        observe: Callable[[str, float], None] = lambda *_: None,
        spares_models: Callable[[], bool] = lambda: False,
    ) -> None:
        """Connect to nothing yet.

        Args:
            transports: For each service those of its replicas.
            pause: Seconds between two probes of a replica that failed.
            observe: Is told service and seconds of each call that was answered, or timed out.
            spares_models: Tells whether the request in work has to do without the services.
        """
        self._observe, self._spares_models = observe, spares_models
        self._replicas = {
            name: [Replica(name, transport, pause) for transport in several]
            for name, several in transports.items()
        }
        self._turns = dict.fromkeys(transports, 0)
        self._json_until: dict[str, float] = {}

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> RecommendReply | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        service = MODEL_BY_ROUTE[route]
        reply = await self._ask(service, request, seconds)
        if isinstance(reply, Failure):
            return reply
        return read_recommended(reply.body) if reply.ok else reply.failure(service)

    async def _ask(
        self, service: str, request: Mapping[str, Any], seconds: float
    ) -> Reply | Failure:
        """Ask with packed facts; a service of an earlier release refuses them, and gets JSON."""
        call = Call("POST", _RECOMMEND, request, seconds, bool(request.get("after")))
        if not isinstance(request, UserRequest):
            return await self.call(service, call)
        now = time.monotonic()
        if now >= self._json_until.get(service, now):
            body = request.packed()
            reply = await self.call(service, replace(call, body=body, media_type=PACKED_REQUEST))
            if isinstance(reply, Failure) or reply.status not in _NOT_UNDERSTOOD:
                return reply
            self._json_until[service] = now + RELEASE_S
        left = seconds - (time.monotonic() - now)
        return await self.call(service, replace(call, body=request.json(), seconds=left))

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return a service's reply to any internal call; never raises.

        Where a replica is not reached, the next one is asked: every internal call may be repeated.
        """
        if self._spares_models():
            return Failure(
                f"{service} is not asked: many requests are under way", unresponsive=True
            )
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
