"""What the calls of the API work with, built once when the app is made."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.presenters import explain_document, list_document
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.popularity import PopularList
from gateway.http.idempotency import idempotent_request_of
from gateway.http.idempotency_store import Idempotency, IdempotentRequest
from gateway.http.route import json_response
from gateway.recommend.orchestrator import Orchestrator, RecommendationQuery
from gateway.state import consistency_token
from gateway.state.consistency_token import Positions
from gateway.state.deduplication import DedupLookup
from gateway.state.profiles import Profile, Profiles
from gateway.upstream.models import Models
from marquee.bus.api import Published
from marquee.errors import NotFound
from marquee.events import MOVIES, RATINGS, Event
from marquee.events.partitioning import partition_of
from marquee.settings import Settings

E = TypeVar("E", bound=Event)

MOVIE_PATIENCE_S = 0.3
"""A film that is not known may have been added a moment ago: so long a write waits for it."""
STORED_S = 1.0
"""So long a rule's write waits until the rule is stored."""


class EventPublisher(Protocol):
    """Publishes events."""

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        """Return where the log has put each event; BusUnavailable when it may not have all."""
        ...


class LiveState(Protocol):
    """What the gateway holds in memory and how far it has come."""

    catalogue: Catalogue
    popular: PopularList

    async def passed(self, after: Positions, seconds: float) -> bool:
        """Return whether films and profiles have passed `after`, waiting up to `seconds` for it."""
        ...

    async def wait_for_movie(self, movie_id: int, seconds: float) -> bool:
        """Return whether a film is in the catalogue, waiting up to `seconds` for it."""
        ...

    @property
    def connected(self) -> bool:
        """Whether what is in memory is what the store holds."""
        ...


@dataclass(frozen=True)
class UserSnapshot:
    """A viewer as read: whether a token was passed, its positions, and the seconds left to wait."""

    profile: Profile
    fresh: bool = True
    after: Positions = field(default_factory=dict)
    left: float = 0.0


@dataclass(frozen=True)
class Context:
    """The parts of the gateway."""

    settings: Settings
    live_view: LiveState
    profiles: Profiles
    models: Models
    orchestrator: Orchestrator
    publisher: EventPublisher
    duplicates: DedupLookup
    idempotency: Idempotency
    idempotent_request: IdempotentRequest | None = None
    """What the request's Idempotency-Key stands for, in the context of that request."""

    @property
    def catalogue(self) -> Catalogue:
        return self.live_view.catalogue

    async def user(
        self, user_id: int, after: str | None, wait_ms: int | None = None
    ) -> UserSnapshot:
        """Return a viewer's facts, once they, the films and the rules have passed a token.

        Waits up to `wait_ms` (None: the setting) for that.
        """
        wait = self.settings.wait_ms / 1000 if wait_ms is None else wait_ms / 1000
        until = time.monotonic() + wait
        positions = consistency_token.decode(after) if after else {}
        mine = f"{RATINGS}:{partition_of(user_id, self.settings.partitions)}"
        wanted = consistency_token.select_topics(positions, MOVIES)
        if mine in positions:
            wanted[mine] = positions[mine]
        fresh = not wanted or await self.live_view.passed(wanted, wait)
        profile = await self.profiles.read(user_id)
        left = max(0.0, until - time.monotonic()) if positions else 0.0
        return UserSnapshot(profile, fresh and profile.known, positions, left)

    async def require_movie(self, movie_id: int) -> None:
        """Raise NotFound for a film that the catalogue does not have, nor gets in a moment."""
        if self.catalogue.get(movie_id) is not None or not self.live_view.connected:
            return
        if not await self.live_view.wait_for_movie(movie_id, MOVIE_PATIENCE_S):
            raise NotFound(f"there is no film {movie_id}")

    def named(self, events: Sequence[E]) -> Sequence[E]:
        """Return events whose ids follow from the request's key, if it has one.

        An id that came with an event stays.
        """
        idempotent_request = self.idempotent_request
        if idempotent_request is None:
            return events
        return [
            event
            if "id" in event.model_fields_set
            else event.model_copy(update={"id": idempotent_request.event_id(index)})
            for index, event in enumerate(events)
        ]

    async def write(self, *events: Event, **more: Any) -> Response:
        """Publish events and answer 202 with the token to read them by, and `more`."""
        named = self.named(events)
        places = await self.publisher.publish(named)
        return json_response(receipt_document(named, places) | more, 202)

    async def rule(self, event: Event) -> Response:
        """Publish a rule and answer 200 once it is stored and read, 202 when that takes too long.

        Read, too: were the store lost before the next request, it would be answered by older rules.
        """
        named = self.named([event])
        places = await self.publisher.publish(named)
        stored = await self.live_view.passed(consistency_token.positions_of(places), STORED_S)
        holds = stored and (await self.profiles.read(None)).known
        return json_response(receipt_document(named, places), 200 if holds else 202)

    async def answer(self, query: RecommendationQuery, fresh: bool, explain: bool) -> Response:
        """Answer a question; `fresh` tells whether profile and rules have passed its `after`."""
        answer = await self.orchestrator.answer(query)
        shown = list_document(answer, query, self.catalogue)
        shown["fresh"] = answer.fresh and fresh
        if explain:
            shown["explain"] = explain_document(answer.filtered)
        return json_response(shown)


def context_of(request: Request) -> Context:
    """Return the context of the app that handles a request, with the request's attempt."""
    context = cast(Context, request.app.state.context)
    idempotent_request = idempotent_request_of(request)
    return (
        context
        if idempotent_request is None
        else replace(context, idempotent_request=idempotent_request)
    )


def receipt_document(events: Sequence[Event], places: Sequence[Published]) -> dict[str, Any]:
    """Return what a write answers: the event's id and the token to read it by."""
    return {
        "event_id": events[0].id,
        "token": consistency_token.encode(consistency_token.positions_of(places)),
        "accepted_at": datetime.now(UTC).isoformat(),
    }
