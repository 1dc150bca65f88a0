"""Lists of one service that are no viewer's, filtered, and filled by a second call."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from gateway.catalogue.catalogue import Catalogue
from gateway.recommend.candidate_filter import candidate_filter
from gateway.recommend.filter_stage import FilteredList, FilterStage, ListRequest, UserContext
from gateway.recommend.orchestrator import MAX_RESERVE, reserve
from gateway.state.rules import Rules
from gateway.upstream.models import Failure, RecommendReply
from marquee.domain.recommendation import Scored

Ask = Callable[[int, Mapping[str, Any]], Awaitable[RecommendReply | Failure]]
"""Asks a service for n movies within the fields of a `CandidateFilter`."""


@dataclass(frozen=True)
class ServedMovies:
    """The movies that a service sent, and the list that the filter stage makes of them.

    `failure` is why a call had no answer, if one had none.
    """

    filtered: FilteredList
    sent: tuple[Scored, ...] = ()
    model_version: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class ServiceList:
    """A list that one service makes: the request, and what the filter stage works with."""

    list_request: ListRequest
    rules: Rules
    catalogue: Catalogue
    user: UserContext = field(default_factory=UserContext)
    promote: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def apply(self, movies: Iterable[Scored]) -> FilteredList:
        """Return the first k movies that may be shown."""
        stage = FilterStage(self.rules, self.catalogue, self.now)
        return stage.apply(movies, self.user, self.list_request, self.promote)

    async def served(self, ask: Ask) -> ServedMovies:
        """Ask a service, and once more with `MAX_RESERVE` where rules leave too few."""
        k, served = self.list_request.k, ServedMovies(self.apply(()))
        shown = sorted(self.list_request.shown)
        filters = candidate_filter(self.list_request.filter, self.catalogue, shown)
        for n in (k + reserve(self.rules), k + MAX_RESERVE):
            sent_ids = [item.movie_id for item in served.sent]
            reply = await ask(n, {**filters, "exclude": [*filters["exclude"], *sent_ids]})
            if isinstance(reply, Failure):
                return ServedMovies(served.filtered, served.sent, served.model_version, reply)
            sent = (*served.sent, *reply.items)
            served = ServedMovies(self.apply(sent), sent, reply.model_version)
            if len(served.filtered.items) >= k or len(reply.items) < n:
                break
        return served

    def has_more(self, page: FilteredList, movies: Iterable[Scored]) -> bool:
        """Return whether one of `movies` may be shown after a full page."""
        if len(page.items) < self.list_request.k:
            return False
        stage = FilterStage(self.rules, self.catalogue, self.now)
        return stage.has_more(page, movies, self.user, self.list_request)

    def filled_up(
        self, served: ServedMovies, more: Iterable[Scored]
    ) -> tuple[FilteredList, str | None]:
        """Return the list, filled up with `more` where it is short, and why it was short.

        It is not short (None) where `more` has nothing to add either, and each call was answered.
        """
        n, k = len(served.filtered.items), self.list_request.k
        if n >= k:
            return served.filtered, None
        filled = self.apply(chain(served.sent, more))
        if served.failure is not None:
            return filled, served.failure.why
        return filled, f"{n} of {k} films found" if len(filled.items) > n else None
