"""Interface of the model services: calls, replies, failures, and the protocol of a client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from marquee.domain.recommendation import Reason, Route, Scored
from marquee.errors import NotFound

JSON: Final = "application/json"


@dataclass(frozen=True)
class ReplyState:
    """What a service's list was made of (`marquee.domain.recommendation.AppState`)."""

    settled: bool
    lags: bool
    entries: Mapping[str, str]

    @classmethod
    def read(cls, state: Any) -> "ReplyState | None":
        """Return the state in a reply; None where there is none, or none of this form."""
        if not isinstance(state, dict) or not isinstance(state.get("entries"), dict):
            return None
        return cls(state.get("settled") is True, state.get("lags") is not False, state["entries"])


@dataclass(frozen=True)
class RecommendReply:
    """A model service's reply to a recommend call."""

    items: tuple[Scored, ...]
    model_version: str
    fresh: bool = True
    state: ReplyState | None = field(default=None, compare=False)
    """What the list was made of; None: the service does not say."""


@dataclass(frozen=True)
class Failure:
    """The reason why a service gave no answer, in words for clients of the API."""

    why: str
    unresponsive: bool = field(default=False, compare=False)
    """Whether there was no reply at all: another call at once would only wait again."""
    unreached: bool = field(default=False, compare=False)
    """Whether there was no connection, or it ended: another replica may be asked at once."""


@dataclass(frozen=True)
class Call:
    """An internal call with its time limit in seconds; without a body when that is None.

    `waits`: the service may wait before it answers, so that its time tells nothing of the load.
    `media_type`: that of a body of bytes, which is sent as it is; any other is sent as JSON.
    """

    method: str
    path: str
    body: Any = None
    seconds: float = 1.0
    waits: bool = False
    media_type: str = JSON

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return orjson.dumps(self.body)


def movies_call(path: str, k: int, filters: Mapping[str, Any], seconds: float) -> Call:
    """Return the call for a list of movies that is no user's.

    A GET without filters, which the services of earlier releases answer too; with filters a POST.
    """
    if filters.get("only") is None and not any(filters.values()):
        return Call("GET", f"{path}?k={k}", None, seconds)
    return Call("POST", path, {**filters, "k": k}, seconds)


@dataclass(frozen=True)
class Reply:
    """Status and JSON body of a service's reply."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def names_nothing(self) -> bool:
        """Whether a service knows the call, and nothing of that name.

        A server that does not know the call at all answers 404 without our code.
        """
        return (
            self.status == 404
            and isinstance(self.body, dict)
            and self.body.get("code") == NotFound.code
        )

    @property
    def is_callers_fault(self) -> bool:
        """Whether a refusal is the caller's to mend: not a secret, a release, or a fault."""
        return self.names_nothing or self.status in (400, 409, 422)

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

    Only the types that later work rests on are checked, as this is the hot path.
    """
    try:
        items = tuple(map(_scored, body["items"]))
        if not isinstance(version := body["model_version"], str):
            raise TypeError("model_version is no text")
        fresh, state = body.get("fresh", True) is True, ReplyState.read(body.get("state"))
        return RecommendReply(items, version, fresh, state)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Failure(f"the answer cannot be read: {error!r}")


def _scored(item: Mapping[str, Any]) -> Scored:
    because: tuple[tuple[int, float], ...] = ()
    if sources := item.get("because"):
        because = tuple([(int(movie["movie_id"]), float(movie["weight"])) for movie in sources])
    if type(movie_id := item["movie_id"]) is not int:
        raise TypeError("movie_id is no whole number")
    return Scored(movie_id, float(item["score"]), _REASONS[item["reason"]], because)


_REASONS = {reason.value: reason for reason in Reason}
