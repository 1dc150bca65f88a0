"""Lists that were computed, given again as long as nothing that they rest on has changed.

A list rests on the user's facts, the rules, the catalogue, and the rows, model version and
popularity of the services behind it. It is kept with the versions of all of them, which are
compared at each use; popularity alone may be a second old. A list that rests on anything else is
not kept: one with fallbacks, of a degraded gateway, one that waited for a write, or one with
promotions for segments.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Protocol

from gateway.catalogue.catalogue import Catalogue
from gateway.kept.result_cache import ResultCache
from gateway.recommend.answers import (
    RecommendationAnswer,
    RecommendationQuery,
    new_recommendation_id,
)
from gateway.recommend.orchestrator import Clock
from gateway.upstream.model_states import Basis
from gateway.upstream.models import ReplyState
from marquee import telemetry
from marquee.domain.ids import as_given
from marquee.domain.rating_sums import period_end
from marquee.domain.ratings import Ratings

MAX_AGE = timedelta(minutes=1)
"""How long a list is kept at most: whatever else may change a list, such as a new release of a
service, takes effect after that."""
_HEAD = b'{"recommendation_id":"'
"""How each list begins; the id that follows is another one in each answer."""
_HIT = telemetry.RESULT_CACHE.labels("hit")


class States(Protocol):
    """Knows whether the services would make the same lists again."""

    def basis(self, service: str, state: ReplyState | None, made_at: float) -> Basis | None:
        """Return what a list rests on; None: nobody knows."""
        ...

    def why_not(self, bases: Collection[Basis]) -> str | None:
        """Return what has changed since lists were made; None: they are right."""
        ...


ID_BYTES = 150
"""Bytes that an id of a film takes in the sets of a key, about."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request for a list: its key, and what the list will rest on."""

    key: Hashable
    facts: bytes
    rules: int
    catalogue: int
    now: datetime
    rules_change: datetime | None
    n_ids: int = 0
    """Ids of films in the key, which take memory as well."""


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list without its id, and what it rests on."""

    rest: bytes
    ticket: Ticket
    bases: tuple[Basis, ...]
    until: datetime

    @property
    def n_bytes(self) -> int:
        """Length in bytes."""
        return len(self.rest) + ID_BYTES * self.ticket.n_ids


class KeptLists:
    """The kept lists of one gateway."""

    def __init__(
        self,
        max_bytes: int,
        states: States,
        catalogue: Catalogue,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        """Keep nothing yet.

        Args:
            max_bytes: Bound of all lists.
            states: Of the services.
            catalogue: The gateway's.
            clock: That of the orchestrator.
        """
        self.cache: ResultCache[KeptList] = ResultCache(max_bytes)
        self._states, self._catalogue, self._clock = states, catalogue, clock

    def ticket(self, query: RecommendationQuery, page: Hashable, explain: bool) -> Ticket | None:
        """Return the ticket of a request, taken before its list is made; None: it is not kept.

        Args:
            query: The request.
            page: Which page of the list.
            explain: Whether the answer says what rules have done.
        """
        profile = query.profile
        if query.after or not profile.known:
            return None
        facts, now = _digest(profile.facts), self._clock()
        who = facts if query.user_id is None else as_given(query.user_id)
        key = (who, query.list_request, page, explain, query.notes)
        change = profile.rules.next_change(now)
        wanted = query.list_request
        n_ids = len(wanted.exclude) + len(wanted.shown) + len(wanted.filter.only or ())
        version = self._catalogue.version
        return Ticket(key, facts, profile.rules.stamp, version, now, change, n_ids)

    def find(self, ticket: Ticket) -> bytes | None:
        """Return the body of an answer; None: it has to be made."""
        kept = self.cache.get(ticket.key)
        why = "new" if kept is None else self._why_not(kept, ticket)
        if kept is None or why is not None:
            telemetry.RESULT_CACHE.labels(why).inc()
            return None
        _HIT.inc()
        return b"".join((_HEAD, new_recommendation_id().encode(), kept.rest))

    def keep(self, ticket: Ticket, answer: RecommendationAnswer, body: bytes) -> None:
        """Keep the body of an answer, if it would be given again."""
        bases = [self._states.basis(s.service, s.state, s.asked_at) for s in answer.sources]
        known = tuple(basis for basis in bases if basis is not None)
        start = len(_HEAD) + len(answer.recommendation_id)
        is_whole = ticket.catalogue == self._catalogue.version and body.startswith(_HEAD)
        if not bases or len(known) < len(bases) or not is_whole:
            self.cache.drop(ticket.key)
            return
        period = datetime.fromtimestamp(period_end(int(ticket.now.timestamp())), UTC)
        ends = [ticket.now + MAX_AGE, period]
        if ticket.rules_change is not None:
            ends.append(ticket.rules_change)
        self.cache.put(ticket.key, KeptList(body[start:], ticket, known, min(ends)))

    def _why_not(self, kept: KeptList, ticket: Ticket) -> str | None:
        made = kept.ticket
        if made.facts != ticket.facts:
            return "user"
        if made.rules != ticket.rules:
            return "rules"
        if made.catalogue != ticket.catalogue:
            return "catalogue"
        if not made.now <= ticket.now < kept.until:
            return "time"
        return self._states.why_not(kept.bases)


def _digest(facts: Ratings) -> bytes:
    """Return a digest of a user's facts, empty where there are none."""
    return blake2b(facts.packed, digest_size=16).digest() if facts else b""
