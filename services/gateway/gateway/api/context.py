"""Context of the API's routes: the parts of the gateway, built once with the app."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.schemas.presenters import explain_document, list_document
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.popularity import PopularList
from gateway.http.idempotency import idempotent_request_of
from gateway.http.idempotency_store import Idempotency, IdempotentRequest
from gateway.http.route import json_response
from gateway.recommend.orchestrator import Orchestrator, RecommendationQuery
from gateway.state import consistency_token
from gateway.state.consistency_token import Positions
from gateway.state.dedup_lookup import DedupLookup
from gateway.state.profiles import Profile, Profiles
from gateway.upstream.models import Models
from marquee.bus.api import Published
from marquee.errors import NotFound
from marquee.events import MOVIES, RATINGS, Event
from marquee.events.partitioning import partition_of
from marquee.settings import Settings

E = TypeVar("E", bound=Event)

MOVIE_PATIENCE_S = 0.3
"""Seconds that a write waits for an unknown movie: it may have been added a moment ago."""
STORED_S = 1.0
"""Seconds that a rule's write waits until the rule is stored."""


class EventPublisher(Protocol):
    """Publishes events."""

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        """Publish events and return their places in the log.

        Raises:
            BusUnavailable: Not all of them may be in the log.
        """
        ...


class LiveState(Protocol):
    """Live view of the store: catalogue and popularity in memory, and their positions."""

    catalogue: Catalogue
    popular: PopularList

    async def passed(self, after: Positions, seconds: float) -> bool:
        """Return whether movies and profiles have passed `after`, waiting at most `seconds`."""
        ...

    async def wait_for_movie(self, movie_id: int, seconds: float) -> bool:
        """Return whether a movie is in the catalogue, waiting at most `seconds` for it."""
        ...

    @property
    def connected(self) -> bool:
        """Whether memory agrees with the store."""
        ...


@dataclass(frozen=True)
class UserSnapshot:
    """A user's profile as read after a token.

    Attributes:
        profile: Facts and rules.
        fresh: Whether they have passed the token.
        after: Positions of the token.
        wait: Seconds left to wait for them.
    """

    profile: Profile
    fresh: bool = True
    after: Positions = field(default_factory=dict)
    wait: float = 0.0


@dataclass(frozen=True)
class Context:
    """The parts of the gateway that routes work with."""

    settings: Settings
    live_view: LiveState
    profiles: Profiles
    models: Models
    orchestrator: Orchestrator
    publisher: EventPublisher
    dedup: DedupLookup
    idempotency: Idempotency
    idempotent_request: IdempotentRequest | None = None
    """Idempotency data of the request that the context is for, None without a key."""

    @property
    def catalogue(self) -> Catalogue:
        return self.live_view.catalogue

    async def read_user(
        self, user_id: int, after: str | None, wait_ms: int | None = None
    ) -> UserSnapshot:
        """Read a user's profile, once facts, movies and rules have passed a token.

        Args:
            user_id: The user.
            after: Token of a write, or None.
            wait_ms: Longest wait for that in milliseconds; None: the setting `wait_ms`.

        Returns:
            The profile; `fresh` is False when the wait was too short.

        Raises:
            InvalidInput: The token cannot be decoded.
        """
        wait = self.settings.wait_ms / 1000 if wait_ms is None else wait_ms / 1000
        until = time.monotonic() + wait
        positions = consistency_token.decode(after) if after else {}
        own_partition = f"{RATINGS}:{partition_of(user_id, self.settings.partitions)}"
        targets = consistency_token.select_topics(positions, MOVIES)
        if own_partition in positions:
            targets[own_partition] = positions[own_partition]
        fresh = not targets or await self.live_view.passed(targets, wait)
        profile = await self.profiles.read(user_id)
        wait_left = max(0.0, until - time.monotonic()) if positions else 0.0
        return UserSnapshot(profile, fresh and profile.known, positions, wait_left)

    async def require_movie(self, movie_id: int) -> None:
        """Check that a movie is in the catalogue, or arrives there in a moment.

        Raises:
            NotFound: It does not.
        """
        if self.catalogue.get(movie_id) is not None or not self.live_view.connected:
            return
        if not await self.live_view.wait_for_movie(movie_id, MOVIE_PATIENCE_S):
            raise NotFound(f"there is no film {movie_id}")

    def with_request_ids(self, events: Sequence[E]) -> Sequence[E]:
        """Return events with ids derived from the request's idempotency key, if it has one.

        An id that a client has set stays.
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
        """Publish events and answer 202: the receipt of the first one, with the fields `more`."""
        identified = self.with_request_ids(events)
        places = await self.publisher.publish(identified)
        return json_response(receipt_document(identified, places) | more, 202)

    async def write_rule(self, event: Event) -> Response:
        """Publish a rule and answer 200 once it is stored and read, 202 when that takes too long.

        It is read, too: were the store lost before the next request, the rules in memory would
        answer it.
        """
        identified = self.with_request_ids([event])
        places = await self.publisher.publish(identified)
        stored = await self.live_view.passed(consistency_token.positions_of(places), STORED_S)
        in_force = stored and (await self.profiles.read(None)).known
        return json_response(receipt_document(identified, places), 200 if in_force else 202)

    async def recommend(self, query: RecommendationQuery, fresh: bool, explain: bool) -> Response:
        """Answer a query; `fresh`: whether profile and rules have passed its `after`."""
        answer = await self.orchestrator.answer(query)
        document = list_document(answer, query, self.catalogue)
        document["fresh"] = answer.fresh and fresh
        if explain:
            document["explain"] = explain_document(answer.filtered)
        return json_response(document)


def context_of(request: Request) -> Context:
    """Return the context of a request's app, with the request's idempotency data."""
    context = cast(Context, request.app.state.context)
    idempotent_request = idempotent_request_of(request)
    return (
        context
        if idempotent_request is None
        else replace(context, idempotent_request=idempotent_request)
    )


def receipt_document(events: Sequence[Event], places: Sequence[Published]) -> dict[str, Any]:
    """Return the answer to a write: id of the first event, and the token to read after."""
    return {
        "event_id": events[0].id,
        "token": consistency_token.token_of(places),
        "accepted_at": datetime.now(UTC).isoformat(),
    }
