"""The model services' interface: routes, calls, replies, and the protocol that clients follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from marquee.domain.recommendation import Reason, Route, Scored


@dataclass(frozen=True)
class RecommendReply:
    """What a model service answered to a recommend call."""

    items: tuple[Scored, ...]
    model_version: str
    fresh: bool = True


@dataclass(frozen=True)
class Failure:
    """Why a service has not answered, in words for a reader of the answer."""

    why: str
    silent: bool = field(default=False, compare=False)
    """Whether it said nothing at all, so that to ask it again at once is to wait again."""


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
    ) -> RecommendReply | Failure:
        """Ask the service of a route, waiting at most `seconds`; never raises."""
        ...

    async def call(self, service: str, call: Call) -> Reply | Failure:
        """Return what a service answers to any internal call; never raises."""
        ...


def read_recommended(answer: Any) -> RecommendReply | Failure:
    """Return an answer's movies; unchecked, as the services are ours and this is the hot path."""
    try:
        items = tuple(map(_scored, answer["items"]))
        return RecommendReply(items, answer["model_version"], answer.get("fresh", True))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failure(f"the answer cannot be read: {error!r}")


def _scored(item: Mapping[str, Any]) -> Scored:
    because = tuple([(movie["movie_id"], movie["weight"]) for movie in item.get("because", ())])
    return Scored(item["movie_id"], item["score"], _REASONS[item["reason"]], because)


_REASONS = {reason.value: reason for reason in Reason}
