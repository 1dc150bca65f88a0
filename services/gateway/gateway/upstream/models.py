"""Interface of the model services: calls, replies, failures, and the protocol of a client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from marquee.domain.recommendation import Reason, Route, Scored


@dataclass(frozen=True)
class RecommendReply:
    """A model service's reply to a recommend call."""

    items: tuple[Scored, ...]
    model_version: str
    fresh: bool = True


@dataclass(frozen=True)
class Failure:
    """The reason why a service gave no answer, in words for clients of the API."""

    why: str
    unresponsive: bool = field(default=False, compare=False)
    """Whether there was no reply at all: another call at once would only wait again."""


@dataclass(frozen=True)
class Call:
    """An internal call with its time limit in seconds; without a body when that is None."""

    method: str
    path: str
    body: Any = None
    seconds: float = 1.0


@dataclass(frozen=True)
class Reply:
    """Status and JSON body of a service's reply."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def failure(self, service: str) -> Failure:
        """Return a reply with an error status as a failure of `service`."""
        detail = self.body.get("detail") if isinstance(self.body, dict) else None
        return Failure(f"{service} answered {self.status}: {detail or 'no detail'}")


class Models(Protocol):
    """Client of the model services."""

    async def recommend(
        self, route: Route, request: Mapping[str, Any], seconds: float
    ) -> RecommendReply | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        ...

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return a service's reply to any internal call; never raises."""
        ...


def read_recommended(body: Any) -> RecommendReply | Failure:
    """Parse the body of a recommend reply.

    Values are not validated: the services are trusted, and this is the hot path.
    """
    try:
        items = tuple(map(_scored, body["items"]))
        return RecommendReply(items, body["model_version"], body.get("fresh", True))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failure(f"the answer cannot be read: {error!r}")


def _scored(item: Mapping[str, Any]) -> Scored:
    because = tuple([(movie["movie_id"], movie["weight"]) for movie in item.get("because", ())])
    return Scored(item["movie_id"], item["score"], _REASONS[item["reason"]], because)


_REASONS = {reason.value: reason for reason in Reason}
