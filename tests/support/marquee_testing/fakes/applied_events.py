"""The gateway's API whose events are applied at once, by the consumer's own handlers, in memory."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import Request

from gateway.access.caller import Caller
from gateway.app import create_app
from gateway.consumer import AUDITED, GatewayProjection
from gateway.http.admission import OPEN_TO_ALL, Admission
from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from marquee.access.scopes import GRANTED, Scope
from marquee.bus.api import Published, TopicPartition
from marquee.consumer.unit_of_work import UnitOfWork, apply_event
from marquee.domain.ratings import Ratings
from marquee.events import MOVIES, Event
from marquee.events.partitioning import partition_of
from marquee.store.keys import Keys
from marquee_testing.fakes.audit import FakeAudit
from marquee_testing.fakes.gateway_api import client_of, parts
from marquee_testing.fakes.store import MemoryStore

KEYS = Keys("n", "gateway", 4)


@dataclass
class AppliedEvents:
    """A publisher whose events take effect in a store before it returns."""

    store: MemoryStore = field(default_factory=MemoryStore)
    events: list[Event] = field(default_factory=list)
    before_next: list[Event] = field(default_factory=list)
    """Events of somebody else, which the log gets before the next ones."""

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        """Append events to the log, and apply them."""
        others, self.before_next = self.before_next, []
        for event in others:
            self.apply(event)
        return [self.apply(event) for event in events]

    def apply(self, event: Event) -> Published:
        """Append an event to the log, and apply it."""
        place = TopicPartition(event.topic, partition_of(event.key, KEYS.partitions))
        keys = KEYS.of(place)
        at = self.store.position(keys)
        offset, unit_of_work = at or 0, UnitOfWork(keys, self.store)
        apply_event(unit_of_work, offset, event, AUDITED)
        GatewayProjection().derive_rows(unit_of_work)
        self.store.write(keys, at, offset + 1, unit_of_work.commands(offset, offset + 1))
        self.events.append(event)
        return Published(place, offset)


@dataclass
class AppliedProfiles:
    """Viewers without ratings, and the rules of the store."""

    store: MemoryStore

    async def read(self, _: int | None) -> Profile:
        rows = [self.store.scan(keys.rules) for keys in KEYS.all(MOVIES)]
        movies = {int(i): MovieRules.parse(row) for part in rows for i, row in part.items()}
        return Profile(Ratings(), Rules(movies))

    async def movie_texts(self, _user_id: int, _movie_ids: Sequence[int]) -> dict[int, str]:
        return {}


class AppliedApi:
    """The API over these parts; `caller` is whoever makes the next call."""

    def __init__(self) -> None:
        context, _, _, self.models, _ = parts()
        self.log = AppliedEvents()
        self.audit = FakeAudit(self.log.store.values)
        profiles = AppliedProfiles(self.log.store)
        self.caller = Caller("shop", frozenset(GRANTED))
        context = replace(context, publisher=self.log, profiles=profiles, audit=self.audit)
        self.client = client_of(create_app(context, allow=self._allow))
        self.last_ms = 0

    async def _allow(self, request: Request, scope: Scope) -> Admission:
        self.caller.require(scope)
        request.state.caller = self.caller
        return OPEN_TO_ALL

    async def call(
        self, method: str, path: str, body: Any = None, status: int | None = None
    ) -> dict[str, Any]:
        """Return what a call answers; another status than expected (None: below 300) fails."""
        while time.time_ns() // 1_000_000 == self.last_ms:  # entries of two calls differ in time
            await asyncio.sleep(0)
        self.last_ms = time.time_ns() // 1_000_000
        answer = await self.client.request(method, path, json=body)
        expected = answer.status_code < 300 if status is None else answer.status_code == status
        assert expected, answer.text
        return dict(answer.json())

    async def entries(self, query: str = "") -> list[dict[str, Any]]:
        """Return the audit."""
        return list((await self.call("GET", f"/v1/audit{query}"))["items"])
