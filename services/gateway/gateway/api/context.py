"""Context of the API's routes: the parts of the gateway, built once with the app."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from gateway.access.attribution import Attribution
from gateway.access.viewer_events import NO_RULE, ViewerEvents
from gateway.access.viewer_tokens import ViewerTokens
from gateway.api.filters import FieldNames, require_values
from gateway.api.schemas.film_filters import FilmFilters
from gateway.catalogue.catalogue import Catalogue, MovieFilter
from gateway.catalogue.popularity import PopularList
from gateway.http.concurrency import AdaptiveLimit
from gateway.http.idempotency import idempotent_request_of
from gateway.http.idempotency_store import Idempotency, IdempotentRequest
from gateway.http.overload import place_free
from gateway.http.route import json_response
from gateway.kept.lists import KeptLists
from gateway.recommend.orchestrator import Orchestrator
from gateway.state import consistency_token
from gateway.state.audit_log import AuditLog
from gateway.state.changes import Changes
from gateway.state.consistency_token import Positions
from gateway.state.dedup_lookup import DedupLookup
from gateway.state.profiles import Profile, Profiles
from gateway.upstream.models import Models
from marquee.bus.api import Published
from marquee.domain.ids import id_text, refuse_collision, string_of
from marquee.errors import NotFound, StoreUnavailable
from marquee.events import MOVIES, RATINGS, Event
from marquee.events.partitioning import partition_of
from marquee.settings import Settings

E = TypeVar("E", bound=Event)

MOVIE_PATIENCE_S = 0.3
"""Seconds that a write waits for an unknown movie: it may have been added a moment ago."""
BATCH_AT_ONCE = 4
"""Lists of all batches that are made at the same time."""
STORED_S = 1.0
"""Seconds that a rule's write waits until the rule is stored."""


_ANY = MovieFilter()


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
    tokens: ViewerTokens = field(default_factory=lambda: ViewerTokens(()))
    audit: AuditLog | None = None
    attribution: Attribution | None = None
    """Who asks and why, of a request that may change something."""
    viewer_events: ViewerEvents = NO_RULE
    idempotent_request: IdempotentRequest | None = None
    """Idempotency data of the request that the context is for, None without a key."""
    changes: Changes = field(default_factory=lambda: Changes(Settings().max_followers))
    """Source of changes for those who follow lists."""
    kept: KeptLists | None = None
    """Lists that may be given again; None: each is computed."""
    limit: AdaptiveLimit | None = None
    """Limit of the requests under way; None: one of its own."""
    batch_gate: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(BATCH_AT_ONCE), compare=False
    )
    """Bounds the lists of batches that are made at the same time."""

    @property
    def catalogue(self) -> Catalogue:
        return self.live_view.catalogue

    def is_degraded(self, profile: Profile | None = None) -> bool:
        """Return whether an answer may be behind: the store is away, or did not give `profile`."""
        return not self.live_view.connected or (profile is not None and not profile.known)

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
        if not after:
            profile = await self.read_profile(user_id)
            return UserSnapshot(profile, profile.known)
        wait = self.settings.wait_ms / 1000 if wait_ms is None else wait_ms / 1000
        until = time.monotonic() + wait
        positions = consistency_token.decode(after)
        own_partition = f"{RATINGS}:{partition_of(user_id, self.settings.partitions)}"
        targets = consistency_token.select_topics(positions, MOVIES)
        if own_partition in positions:
            targets[own_partition] = positions[own_partition]
        async with place_free():
            fresh = not targets or await self.live_view.passed(targets, wait)
        profile = await self.read_profile(user_id)
        wait_left = max(0.0, until - time.monotonic()) if positions else 0.0
        return UserSnapshot(profile, fresh and profile.known, positions, wait_left)

    async def read_profile(self, user_id: int) -> Profile:
        """Return the profile of a viewer.

        Raises:
            IdCollision: The number of the id belongs to another viewer.
        """
        profile = await self.profiles.read(user_id)
        refuse_collision("user_id", user_id, profile.facts.user)
        return profile

    def movie_filter(self, filters: FilmFilters) -> MovieFilter:
        """Return the filter of a request, whose values films of the catalogue have.

        Raises:
            InvalidFields: No film has one of the values.
        """
        if (allowed := filters.movie_filter()) == _ANY:
            return allowed
        fields = ("genres", "genres_not", "languages", "certificates")
        names = FieldNames(*map(filters.public_name, fields))
        require_values(self.catalogue, allowed, names)
        return allowed

    async def require_movie(self, movie_id: int) -> None:
        """Check that a movie is in the catalogue, or arrives there in a moment.

        Raises:
            NotFound: It does not.
            IdCollision: The catalogue has another movie of the same number.
        """
        if self.catalogue.get(movie_id) is None and self.live_view.connected:
            async with place_free():
                await self.live_view.wait_for_movie(movie_id, MOVIE_PATIENCE_S)
        row = self.catalogue.get(movie_id)
        if row is None and self.live_view.connected:
            raise NotFound(f"there is no film {id_text(movie_id)}")
        refuse_collision("movie_id", movie_id, string_of(row.movie_id) if row else "")

    def with_request(self, events: Sequence[E]) -> Sequence[E]:
        """Return events with what the request says of them: who asked, why, and their ids.

        Ids are derived from the request's idempotency key, if it has one; an id that a client has
        set stays.
        """
        if (attribution := self.attribution) is not None:
            events = [cast(E, attribution.attributed(event)) for event in events]
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
        """Publish events and answer 202: the receipt of the first one, with the fields `more`.

        Raises:
            TooManyEvents, Conflict: The rule of one viewer's events refuses one of them.
        """
        for event in events:
            await self.viewer_events.take(event)
        identified = self.with_request(events)
        places = await self.publisher.publish(identified)
        return json_response(receipt_document(identified, places) | more, 202)

    async def write_rule(self, event: Event) -> Response:
        """Publish a rule and answer 200 once it is stored and read, 202 when that takes too long.

        It is read, too: were the store lost before the next request, the rules in memory would
        answer it.
        """
        identified = self.with_request([event])
        places = await self.publisher.publish(identified)
        in_force = await self.is_in_force(places)
        return json_response(receipt_document(identified, places), 200 if in_force else 202)

    async def is_in_force(self, places: Sequence[Published]) -> bool:
        """Return whether published rules are stored and read, waiting a second at most."""
        # While the store is away there is nothing to wait for: the log has the rule.
        stored = self.live_view.connected and await self.live_view.passed(
            consistency_token.positions_of(places), STORED_S
        )
        return stored and (await self.profiles.read(None)).known

    @property
    def audit_log(self) -> AuditLog:
        """The audit.

        Raises:
            StoreUnavailable: The gateway runs without one.
        """
        if self.audit is None:
            raise StoreUnavailable("there is no store of the audit")
        return self.audit


def context_of(request: Request) -> Context:
    """Return the context of a request's app, with what a write has to know of the request."""
    context = cast(Context, request.app.state.context)
    if request.method == "GET":
        return context
    return replace(
        context,
        idempotent_request=idempotent_request_of(request),
        attribution=Attribution.of(request),
    )


def receipt_document(events: Sequence[Event], places: Sequence[Published]) -> dict[str, Any]:
    """Return the answer to a write: id of the first event, and the token to read after."""
    return {
        "event_id": events[0].id,
        "token": consistency_token.token_of(places),
        "accepted_at": datetime.now(UTC).isoformat(),
    }
