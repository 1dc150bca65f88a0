"""The model services as the gateway asks them: a deadline a call, a breaker a service."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from gateway.breaker import Breaker
from gateway.host import RawReply
from marquee.recommender import Reason, Route, Scored

SERVICES: Mapping[Route, str] = {
    Route.POPULAR: "content",
    Route.SIMILAR: "content",
    Route.HYBRID: "hybrid",
    Route.USER_CLUSTER: "user-model",
    Route.NEURAL: "neural",
}
"""Which service answers a route."""


@dataclass(frozen=True)
class Recommended:
    """What a model service answered to a recommend call."""

    items: tuple[Scored, ...]
    model_version: str
    fresh: bool = True


@dataclass(frozen=True)
class Failure:
    """Why a service has not answered, in words for a reader of the answer."""

    why: str


@dataclass(frozen=True)
class Call:
    """An internal call: a body of None is no body."""

    method: str
    path: str
    body: Any = None
    seconds: float = 1.0


@dataclass(frozen=True)
class Reply:
    """The status and JSON that a service answered."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def failure(self, service: str) -> Failure:
        """Return a refusal as the reason why a service has not answered."""
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        return Failure(f"{service} answered {self.status}: {detail or 'no detail'}")


class Models(Protocol):
    """The model services."""

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> Recommended | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        ...

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return what a service answers to any internal call; never raises."""
        ...


class Address(Protocol):
    """Where a service answers."""

    async def send(self, method: str, path: str, body: bytes | None = None) -> RawReply:
        """Return the reply to one call; OSError when there is none."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class HttpModels:
    """The model services over HTTP, each at its address."""

    def __init__(self, addresses: Mapping[str, Address]) -> None:
        self._addresses = addresses
        self._breakers = {name: Breaker() for name in addresses}

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> Recommended | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        service = SERVICES[route]
        reply = await self.call(service, Call("POST", "/internal/recommend", request, seconds))
        if isinstance(reply, Failure):
            return reply
        return read_recommended(reply.body) if reply.ok else reply.failure(service)

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return what a service answers to any internal call; never raises."""
        breaker = self._breakers[service]
        if not breaker.allows():
            return Failure(f"{service} is left alone for a moment after failed calls")
        content = None if call.body is None else orjson.dumps(call.body)
        try:
            async with asyncio.timeout(call.seconds):
                raw = await self._addresses[service].send(call.method, call.path, content)
        except TimeoutError:
            breaker.timed_out()
            return Failure(f"{service} did not answer within {call.seconds * 1000:.0f} ms")
        except OSError:
            breaker.failed()
            return Failure(f"{service} cannot be reached")
        breaker.succeeded()
        try:
            return Reply(raw.status, orjson.loads(raw.body))
        except ValueError:
            return Failure(f"{service} answered what is not JSON")

    async def close(self) -> None:
        """Close the connections."""
        for address in self._addresses.values():
            await address.close()


def read_recommended(answer: Any) -> Recommended | Failure:
    """Return an answer's films; unchecked, as the services are ours and this is the hot path."""
    try:
        items = tuple(map(_scored, answer["items"]))
        return Recommended(items, answer["model_version"], answer.get("fresh", True))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failure(f"the answer cannot be read: {error!r}")


def _scored(item: Mapping[str, Any]) -> Scored:
    because = tuple([(film["movie_id"], film["weight"]) for film in item.get("because", ())])
    return Scored(item["movie_id"], item["score"], _REASONS[item["reason"]], because)


_REASONS = {reason.value: reason for reason in Reason}
