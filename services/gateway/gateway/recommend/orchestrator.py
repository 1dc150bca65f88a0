"""Orchestration of one request: evidence, route, fallback chain, filter stage, answer."""

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.popularity import PopularList
from gateway.recommend.answers import (
    Fallback,
    RecommendationAnswer,
    RecommendationQuery,
    Source,
)
from gateway.recommend.candidate_filter import candidate_filter
from gateway.recommend.filter_stage import FilteredList, FilterStage, UserContext
from gateway.state.consistency_token import select_topics
from gateway.state.rules import Rules
from gateway.upstream.models import Failure, Models, RecommendReply
from gateway.upstream.segments import fetch_user_segment
from gateway.upstream.user_request import UserRequest
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.recommendation import Route, Scored
from marquee.domain.routing import Decision, Evidence, Thresholds, chain, decide
from marquee.events import MOVIES, RATINGS

MAX_RESERVE = 50
"""Upper bound of the movies requested beyond k, as spares for those that rules remove."""
MIN_RESERVE = 5
"""Spares requested where there are no rules: the catalogue may just have lost movies."""
OWN_VERSION = "gateway"
"""Model version of answers from the gateway's own popular list."""
MIN_CALL_S = 0.01
"""Seconds below which no service is called any more."""

Clock = Callable[[], datetime]
"""Tells the present, by which rules begin and end."""
_TOPICS = {
    Route.POPULAR: (MOVIES, RATINGS),
    Route.SIMILAR: (MOVIES,),
    Route.HYBRID: (MOVIES, RATINGS),
    Route.USER_CLUSTER: (MOVIES,),
    Route.NEURAL: (MOVIES,),
}
"""Topics that a route's rows depend on; the user's own facts travel in the request."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds for one call and for all calls of a request; the wait for freshness comes on top."""

    call: float = 0.25
    request: float = 0.6


class Orchestrator:
    """Answers queries by the model services, and in the end by the gateway's own popular list."""

    def __init__(
        self,
        models: Models,
        popular: PopularList,
        thresholds: Thresholds,
        timeouts: Timeouts | None = None,
        diversity: float = 0.0,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        """Take the parts; `diversity` is that of requests that name none."""
        self.models = models
        self.popular = popular
        self.thresholds = thresholds
        self.timeouts = timeouts or Timeouts()
        self.diversity, self.clock = diversity, clock

    async def answer(self, query: RecommendationQuery) -> RecommendationAnswer:
        """Return up to k movies: exactly k whenever the user may be shown that many."""
        decision = decide(
            Evidence.of(query.profile.facts, self.popular.catalogue.ids), self.thresholds
        )
        run = _RequestRun(self, query)
        if query.profile.rules.has_segment_promotions(run.now):
            await run.find_segment()
        if run.no_candidates:
            return run.answer(decision)
        for route in chain(decision.route, decision.evidence):
            if await run.try_route(route):
                break
        return run.answer(decision)


class _RequestRun:
    """State of one request: candidates gathered so far, fallbacks, and the time left."""

    def __init__(self, orchestrator: Orchestrator, query: RecommendationQuery) -> None:
        self._models = orchestrator.models
        self._popular = orchestrator.popular
        self._timeouts = orchestrator.timeouts
        self._default_diversity = orchestrator.diversity
        self._query = query
        self._deadline = time.monotonic() + orchestrator.timeouts.request + query.wait
        self.now = orchestrator.clock()
        self._stage = FilterStage(query.profile.rules, orchestrator.popular.catalogue, self.now)
        self._user = UserContext(query.profile.facts)
        self._base_request = _base_request(query, orchestrator.popular.catalogue)
        self._candidates: list[Scored] = []
        self._filtered = FilteredList(())
        self._fallbacks: list[Fallback] = []
        self._unresponsive: dict[str, Failure] = {}
        self._source: tuple[Route, str] | None = None
        self._sources: list[Source] = []
        self._is_repeatable = True
        self._fresh = True

    @property
    def no_candidates(self) -> bool:
        """Whether no movie can be recommended, as the catalogue has none that passes."""
        return bool(self._base_request["only"] == [])

    async def find_segment(self) -> None:
        """Set the user's segment; without an answer, promotions for segments are left out."""
        self._is_repeatable = False
        facts = self._query.profile.facts
        segment = await fetch_user_segment(self._models, facts, self._timeouts.call)
        if isinstance(segment, Failure):
            why = f"promotions for segments were left out: {segment.why}"
            self._fallbacks.append(Fallback(Route.USER_CLUSTER, why))
        elif segment is not None:
            self._user = UserContext(facts, frozenset((segment,)))

    async def try_route(self, route: Route) -> bool:
        """Ask a route's service, and once more with `MAX_RESERVE` where rules leave too few.

        Returns:
            Whether the list is complete: it has k movies, or no further movie could be shown.
        """
        k, spares = self._query.list_request.k, self._query.spares
        if spares is None:
            spares = reserve(self._query.profile.rules)
        for n_requested in (k + spares, k + MAX_RESERVE):
            reply = await self._recommend(route, n_requested)
            if isinstance(reply, Failure):
                self._fallbacks.append(Fallback(route, reply.why))
                return False
            self._add(route, reply)
            if self._full or len(reply.items) < n_requested:
                break
        if self._full or self._exhausted():
            return True
        n = len(self._filtered.items)
        self._fallbacks.append(Fallback(route, f"{n} of {k} films found"))
        return False

    def answer(self, decision: Decision) -> RecommendationAnswer:
        """Return the list, filled up from the gateway's own popular list where it is short."""
        is_own = not self._full
        if is_own:
            self._filtered = self._filled_up()
        route, version = self._source or (Route.POPULAR, OWN_VERSION)
        is_repeatable = self._is_repeatable and not (is_own or self._fallbacks)
        return RecommendationAnswer(
            decision,
            route,
            self._filtered,
            tuple(self._fallbacks),
            version,
            self._fresh,
            self._has_more(),
            sources=tuple(self._sources) if is_repeatable else (),
        )

    @property
    def _full(self) -> bool:
        return len(self._filtered.items) >= self._query.list_request.k

    def _add(self, route: Route, reply: RecommendReply) -> None:
        self._candidates += reply.items
        self._filtered = self._apply(self._candidates)
        if self._source is None and reply.items and self._filtered.items:
            self._source = (route, reply.model_version)
            self._fresh = reply.fresh

    def _apply(self, items: Iterable[Scored]) -> FilteredList:
        return self._stage.apply(items, self._user, self._query.list_request)

    def _filled_up(self) -> FilteredList:
        popular = self._popular.movies(self._query.list_request.filter)
        return self._apply(itertools.chain(self._candidates, popular))

    def _exhausted(self) -> bool:
        """Return whether the catalogue has no further movie that may be shown."""
        return len(self._filled_up().items) == len(self._filtered.items)

    def _has_more(self) -> bool:
        """Return whether a movie is left to show; the spares mostly tell."""
        if not self._full:
            return False
        popular = self._popular.movies(self._query.list_request.filter)
        candidates = itertools.chain(self._candidates, popular)
        return self._stage.has_more(
            self._filtered, candidates, self._user, self._query.list_request
        )

    async def _recommend(self, route: Route, k: int) -> RecommendReply | Failure:
        """Ask a route's service, unless it did not respond in this run: one wait is enough."""
        service = MODEL_BY_ROUTE[route]
        if service in self._unresponsive:
            return self._unresponsive[service]
        reply = await self._call(route, k)
        if isinstance(reply, Failure) and reply.unresponsive:
            self._unresponsive[service] = reply
        return reply

    async def _call(self, route: Route, k: int) -> RecommendReply | Failure:
        query = self._query
        seconds = min(self._timeouts.call + query.wait, self._deadline - time.monotonic())
        if seconds < MIN_CALL_S:
            return Failure("no time is left for it")
        # A service waits that long for its rows; the rest of the time is for the answer itself.
        deadline = min(query.wait or seconds, seconds)
        options = self._base_request | {
            "route": route,
            "k": k,
            "exclude": [
                *self._base_request["exclude"],
                *(item.movie_id for item in self._candidates),
            ],
            "after": select_topics(query.after, *_TOPICS[route]),
            "deadline_ms": deadline * 1000,
        }
        if (diversity := self._diversity(route)) > 0:
            options["diversity"] = diversity
        request, asked_at = UserRequest(options, query.profile.facts), time.monotonic()
        reply = await self._models.recommend(route, request, seconds)
        if isinstance(reply, RecommendReply):
            self._sources.append(Source(MODEL_BY_ROUTE[route], reply.state, asked_at))
        return reply

    def _diversity(self, route: Route) -> float:
        """Return the setting of the request; the default of the system where it has none.

        The popular list is the same for all who see it, so the default is not for it.
        """
        if (wish := self._query.list_request.diversity) is not None:
            return wish
        return 0.0 if route is Route.POPULAR else self._default_diversity


def reserve(rules: Rules) -> int:
    """Return the number of spare movies to request: no more than rules may remove or place."""
    return min(MAX_RESERVE, MIN_RESERVE + len(rules))


def _base_request(query: RecommendationQuery, catalogue: Catalogue) -> dict[str, Any]:
    """Return the options of an internal request that are the same for every route."""
    list_request = query.list_request
    return {
        "user_id": query.user_id,
        **candidate_filter(
            list_request.filter, catalogue, list_request.exclude | list_request.shown
        ),
    }
