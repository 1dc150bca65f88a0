"""One request's walk: evidence, route, the services down the chain, filter stage, answer."""

import itertools
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.popularity import PopularList
from gateway.recommend.filter_stage import FilteredList, FilterStage, ListRequest, UserContext
from gateway.state.consistency_token import Positions, select_topics
from gateway.state.profiles import Profile
from gateway.state.rules import Rules
from gateway.upstream.models import Failure, Models, RecommendReply
from gateway.upstream.segments import fetch_user_segment
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.recommendation import Route, Scored
from marquee.domain.routing import Decision, Evidence, Thresholds, chain, decide
from marquee.events import MOVIES, RATINGS

MAX_RESERVE = 50
"""At most so many movies more than k are asked for, since rules may remove some."""
MIN_RESERVE = 5
"""So many more where there are no rules: the catalogue may just have lost movies."""
OWN_VERSION = "gateway"
"""The model version of an answer that the gateway gives from its own popular list."""
MIN_CALL_S = 0.01
"""With less time left than this no service is asked."""

_TOPICS = {
    Route.POPULAR: (MOVIES, RATINGS),
    Route.SIMILAR: (MOVIES,),
    Route.HYBRID: (MOVIES, RATINGS),
    Route.USER_CLUSTER: (MOVIES,),
    Route.NEURAL: (MOVIES,),
}
"""What a route's rows depend on; the user's own facts travel in the request."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds: for one call, for all calls of a request (the wait for freshness comes on top)."""

    call: float = 0.25
    request: float = 0.6


@dataclass(frozen=True)
class RecommendationQuery:
    """Who asks for what: a user (no id: a session), the wish, and what must be applied before."""

    profile: Profile
    list_request: ListRequest
    user_id: int | None = None
    after: Positions = field(default_factory=dict)
    wait: float = 0.0
    """Seconds that a service may wait for its rows to pass `after`."""


@dataclass(frozen=True)
class Fallback:
    """A route that did not fill the list, and why."""

    route: Route
    why: str


@dataclass(frozen=True)
class RecommendationAnswer:
    """The movies, the route that gave the first of them, and how it came to that."""

    decision: Decision
    route: Route
    filtered: FilteredList
    fallbacks: tuple[Fallback, ...]
    model_version: str
    fresh: bool
    recommendation_id: str = field(default_factory=lambda: secrets.token_urlsafe(12))


class Orchestrator:
    """Answers questions with the model services, and at the end with the gateway's own list."""

    def __init__(
        self,
        models: Models,
        popular: PopularList,
        thresholds: Thresholds,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.models = models
        self.popular = popular
        self.thresholds = thresholds
        self.timeouts = timeouts or Timeouts()

    async def answer(self, query: RecommendationQuery) -> RecommendationAnswer:
        """Return up to k movies: k whenever there are k that the user may be shown."""
        decision = decide(Evidence.of(query.profile.facts), self.thresholds)
        walk = _RequestRun(self, query)
        if query.profile.rules.has_segment_promotions(walk.now):
            await walk.find_segment()
        if walk.no_candidates:
            return walk.answer(decision)
        for route in chain(decision.route, decision.evidence):
            if await walk.ask(route):
                break
        return walk.answer(decision)


class _RequestRun:
    """What one request has gathered so far."""

    def __init__(self, orchestrator: Orchestrator, query: RecommendationQuery) -> None:
        self._models = orchestrator.models
        self._popular = orchestrator.popular
        self._timeouts = orchestrator.timeouts
        self._query = query
        self._until = time.monotonic() + orchestrator.timeouts.request + query.wait
        self.now = datetime.now(UTC)
        self._stage = FilterStage(query.profile.rules, orchestrator.popular.catalogue, self.now)
        self._user = UserContext(query.profile.facts)
        self._facts = _facts(query, orchestrator.popular.catalogue)
        self._pool: list[Scored] = []
        self._outcome = FilteredList(())
        self._fallbacks: list[Fallback] = []
        self._silent: dict[str, Failure] = {}
        self._source: tuple[Route, str] | None = None
        self._fresh = True

    @property
    def no_candidates(self) -> bool:
        """Whether there is no movie to ask for: none carries the tag."""
        return bool(self._facts["only"] == [])

    async def find_segment(self) -> None:
        """Ask which segment the user is in; promotions for segments are left out otherwise."""
        facts = self._query.profile.facts
        found = await fetch_user_segment(self._models, facts, self._timeouts.call)
        if isinstance(found, Failure):
            why = f"promotions for segments were left out: {found.why}"
            self._fallbacks.append(Fallback(Route.USER_CLUSTER, why))
        elif found is not None:
            self._user = UserContext(facts, frozenset((found,)))

    async def ask(self, route: Route) -> bool:
        """Ask a route's service, and again where rules leave too few; return whether to stop."""
        k = self._query.list_request.k
        for wanted in (k + reserve(self._query.profile.rules), k + MAX_RESERVE):
            got = await self._recommend(route, wanted)
            if isinstance(got, Failure):
                self._fallbacks.append(Fallback(route, got.why))
                return False
            self._take(route, got)
            if self._full or len(got.items) < wanted:
                break
        if self._full or self._nothing_left():
            return True
        n = len(self._outcome.items)
        self._fallbacks.append(Fallback(route, f"{n} of {k} films found"))
        return False

    def answer(self, decision: Decision) -> RecommendationAnswer:
        """Return what was gathered, filled up from the gateway's own list if need be."""
        if not self._full:
            self._outcome = self._filled()
        route, version = self._source or (Route.POPULAR, OWN_VERSION)
        fallbacks = tuple(self._fallbacks)
        return RecommendationAnswer(decision, route, self._outcome, fallbacks, version, self._fresh)

    @property
    def _full(self) -> bool:
        return len(self._outcome.items) >= self._query.list_request.k

    def _take(self, route: Route, got: RecommendReply) -> None:
        self._pool += got.items
        self._outcome = self._apply(self._pool)
        if self._source is None and got.items and self._outcome.items:
            self._source = (route, got.model_version)
            self._fresh = got.fresh

    def _apply(self, items: Any) -> FilteredList:
        return self._stage.apply(items, self._user, self._query.list_request)

    def _filled(self) -> FilteredList:
        own = self._popular.movies(self._query.list_request.movies)
        return self._apply(itertools.chain(self._pool, own))

    def _nothing_left(self) -> bool:
        """Return whether the catalogue has no more movies that could be shown."""
        return len(self._filled().items) == len(self._outcome.items)

    async def _recommend(self, route: Route, wanted: int) -> RecommendReply | Failure:
        """Ask a route's service, unless it has been silent in this walk: one wait is enough."""
        service = MODEL_BY_ROUTE[route]
        if service in self._silent:
            return self._silent[service]
        got = await self._call(route, wanted)
        if isinstance(got, Failure) and got.silent:
            self._silent[service] = got
        return got

    async def _call(self, route: Route, wanted: int) -> RecommendReply | Failure:
        left = self._until - time.monotonic()
        seconds = min(self._timeouts.call + self._query.wait, left)
        if seconds < MIN_CALL_S:
            return Failure("no time is left for it")
        # A service waits that long for its rows; the rest of the time is for the answer itself.
        deadline = min(self._query.wait or seconds, seconds)
        request = self._facts | {
            "route": route,
            "k": wanted,
            "exclude": [*self._query.list_request.exclude, *(item.movie_id for item in self._pool)],
            "after": select_topics(self._query.after, *_TOPICS[route]),
            "deadline_ms": deadline * 1000,
        }
        return await self._models.recommend(route, request, seconds)


def reserve(rules: Rules) -> int:
    """Return how many movies more than k to ask for: no more than may be removed or placed."""
    return min(MAX_RESERVE, MIN_RESERVE + len(rules))


def _facts(query: RecommendationQuery, catalogue: Catalogue) -> dict[str, Any]:
    """Return the part of an internal request that stays the same down the chain.

    A tag is in it as the movies that carry it: models' rows have no tags.
    """
    facts, movies = query.profile.facts, query.list_request.movies
    return {
        "user_id": query.user_id,
        "ratings": [(movie_id, half / 2) for movie_id, half in facts.rated.items()],
        "viewed": list(facts.viewed),
        "dismissed": list(facts.dismissed),
        "genres": movies.genres,
        "year_from": movies.year_from,
        "year_to": movies.year_to,
        **({"diversity": query.list_request.diversity} if query.list_request.diversity else {}),
        "only": None if movies.tag is None else [*catalogue.tagged(movies.tag)],
    }
