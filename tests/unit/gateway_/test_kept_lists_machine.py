"""Beside the cache, whatever viewers, curators, trainings and connections do: no list is stale.

Real consumers' units of work write into one store; real replicas of the services follow it, each
as slowly as the rules let it; the gateway's states follow it too. At any moment a list from the
cache is what the gateway would compute, byte for byte but for its id.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import gateway.upstream.model_states
import marquee.serving.replica
import marquee.serving.update_stream
from gateway.api.schemas.presenters import explain_document, list_document
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.catalogue.popularity import PopularList
from gateway.consumer import HANDLERS
from gateway.kept.lists import KeptLists
from gateway.recommend.answers import RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.model_states import ModelStates
from gateway.upstream.models import Call, Failure, RecommendReply, Reply, read_recommended
from gateway.upstream.user_request import UserRequest
from marquee.arrays import Mask, Vector
from marquee.consumer.derivation import derive_movies
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.model_versions import ModelProjection
from marquee.domain.models import CONTENT, MODEL_BY_ROUTE, MODEL_SPECS
from marquee.domain.movies import Movie
from marquee.domain.packed_ratings import StoredRatings
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import (
    PackedRecommendRequest,
    Reason,
    Route,
    Scored,
    UserHistory,
)
from marquee.domain.routing import Thresholds
from marquee.errors import ModelUnavailable
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    Event,
    ModelPublished,
    ModelVersion,
    MovieAdded,
    MovieBlocked,
    MovieDismissed,
    MoviePromoted,
    MovieRemoved,
    MovieRestored,
    MovieUnblocked,
    MovieUnpromoted,
    MovieViewed,
    RatingAdded,
    RatingRemoved,
    UserErased,
)
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import MovieSums, Popularity
from marquee.serving.app import rank_candidates, recommend_answer
from marquee.serving.replica import ModelReplica
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier
from marquee_testing.fakes.redis_client import MemoryClient
from marquee_testing.fakes.store import MemoryStore

PARTITIONS, K = 2, 3
GATEWAY = Keys("m", "gateway", PARTITIONS)
START = datetime(2026, 1, 1, tzinfo=UTC)
MOVIE_IDS, USERS = st.integers(1, 9), st.integers(1, 2)
SERVICES = st.sampled_from(sorted(MODEL_SPECS))
STEP = timedelta(seconds=9)
"""Short against the time after which a list ends by itself."""
STEPS = st.none() | st.integers(-2, 2)
KNOWN = tuple(range(1, 10))


class Tiny:
    """A model that ranks by a number of its version, the film's year and its popularity."""

    half_life = 60.0

    def __init__(self, directory: Path) -> None:
        self.version, self.factor = directory.name, np.float32(directory.name[1:])

    def movies(self) -> MovieTable:
        known = [Movie(movie_id=i, title=f"Film {i}", year=1990 + i) for i in KNOWN]
        vectors = np.array([self.row(movie, (0, 0, 0))[0] for movie in known], np.float32)
        return MovieTable.of(known, vectors, np.zeros(len(known), np.int16))

    def row(self, movie: Movie, _: tuple[int, int, int]) -> tuple[Vector, int]:
        return np.array([np.sin(self.factor * (movie.year or 0))], np.float32), 0

    def sums(self, _: int) -> tuple[int, int, int]:
        return 0, 0, 0

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        popularity: Popularity | None = None,
        /,
        *,
        diversity: float = 0.0,
    ) -> list[Scored]:
        scores = movies.vectors[:, 0] + float(user.rated.stars.sum()) / 100 + diversity
        if popularity is not None:
            scores = scores + popularity.popularity.astype(np.float32)
        rows = np.flatnonzero(mask)
        best = rows[np.argsort(-scores[rows], kind="stable")][:k]
        reason = Reason.PREDICTED_FOR_YOU
        return [Scored(int(movies.movie_ids[i]), float(scores[i]), reason) for i in best]


class Registry:
    """Gives out the version that an address names."""

    def load(self, address: str, _sha256: str, load: Any) -> Any:
        return load(Path(address))


class Service:
    """The consumer's side and the app's side of one service, on a store that all share."""

    def __init__(self, name: str, store: Any) -> None:
        self.keys = Keys("m", name, PARTITIONS)
        handlers = handlers_of(name)
        self.projection: ModelProjection[Tiny] = ModelProjection(
            self.keys,
            store,
            Registry(),
            Tiny,
            handlers,
            lambda unit_of_work, model: derive_movies(unit_of_work, model),
            lambda *_: None,
            check_seconds=0.0,
        )
        derive = self.projection.derive_rows
        self.batches = BatchApplier(self.keys, self.projection.handlers, derive, store)
        for keys in self.partitions:
            store.write(keys, None, 0, [])
        self.client = MemoryClient(store)
        sums = None if name == CONTENT.name else Keys("m", CONTENT.name, PARTITIONS)
        self.replica: ModelReplica[Tiny] = ModelReplica(
            self.keys,
            self.client,
            Registry(),  # type: ignore[arg-type]
            Tiny,
            sums_of=sums,
        )

    @property
    def partitions(self) -> list[Any]:
        return [keys for topic in (MOVIES, RATINGS, MODELS) for keys in self.keys.all(topic)]

    def rederive(self) -> None:
        """Load what was published, and derive what it lacks."""
        self.projection.on_idle(frozenset(keys.partition for keys in self.partitions))


class Services:
    """The services as the gateway calls them: packed facts in, JSON out."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self.calls = 0

    async def recommend(
        self, route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        assert isinstance(request, UserRequest)
        self.calls += 1
        replica = self._services[MODEL_BY_ROUTE[route]].replica
        try:
            serving = replica.serving
        except ModelUnavailable as error:
            return Failure(str(error))
        query = PackedRecommendRequest.parse(request.packed())
        items = rank_candidates(serving, query)
        document = recommend_answer(items, serving.model.version, replica.positions, True)
        document["state"] = replica.state_document()
        return read_recommended(orjson.loads(orjson.dumps(document)))

    async def call(self, service: str, _: Call) -> Reply | Failure:
        return Failure(f"{service} is not there")


class Keeping(RuleBasedStateMachine):
    """Everything that may change a list, in any order, and lists asked for in between."""

    @initialize()
    def begin(self) -> None:
        self.before = (
            marquee.serving.update_stream.RETRY_SECONDS,
            marquee.serving.replica.SUMS_MAX_AGE_S,
            gateway.upstream.model_states.POPULARITY_S,
        )
        marquee.serving.update_stream.RETRY_SECONDS = 0.0
        # Popularity may be old for a while; here it may not, so that lists can be compared.
        marquee.serving.replica.SUMS_MAX_AGE_S = 0.0
        gateway.upstream.model_states.POPULARITY_S = 0.0
        self.loop = asyncio.new_event_loop()
        self.store: Any = MemoryStore()
        self.batches = BatchApplier(GATEWAY, HANDLERS, store=self.store)
        self.services = {name: Service(name, self.store) for name in MODEL_SPECS}
        self.models, self.client = Services(self.services), MemoryClient(self.store)
        self.catalogue = Catalogue(
            Row.of(Movie(movie_id=i, title=f"Film {i}", year=1990 + i)) for i in KNOWN
        )
        self.states = ModelStates(self.client, "m", PARTITIONS)
        self.now, self.number = START, 0
        self.kept = KeptLists(1 << 20, self.states, self.catalogue, lambda: self.now)
        popular = PopularList(self.catalogue, MovieSums())
        self.orchestrator = Orchestrator(
            self.models, popular, Thresholds(2, 4, 1), clock=lambda: self.now
        )
        self.parsed: tuple[Any, Rules] = (None, Rules())
        self.hits = 0
        self.loop.run_until_complete(self._start())
        for name in MODEL_SPECS:
            self.publish(name)
            self.services[name].rederive()
        self.run()

    async def _start(self) -> None:
        self.states.tail.start()
        for service in self.services.values():
            service.replica.start()

    def run(self, turns: int = 40) -> None:
        """Let all that follows the store follow it; models are loaded in threads."""
        self._note()

        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0005)

        self.loop.run_until_complete(turn())

    def _note(self) -> None:
        # The clients number entries in one order, as one Redis does: all see all of them now.
        for client in (self.client, *(s.client for s in self.services.values())):
            client.note()

    def send(self, *events: Event) -> None:
        targets = [self.batches, *(service.batches for service in self.services.values())]
        for event in events:
            for batches in targets:
                batches.add(event)
                batches.write()
            self._note()

    # --- what viewers do

    @rule(user=USERS, movie=MOVIE_IDS, half=st.integers(1, 10))
    def rate(self, user: int, movie: int, half: int) -> None:
        data = {"user_id": user, "movie_id": movie, "rating": half / 2}
        self.send(RatingAdded.model_validate({"data": data}))

    @rule(
        kind=st.sampled_from([MovieViewed, MovieDismissed, MovieRestored, RatingRemoved]),
        user=USERS,
        movie=MOVIE_IDS,
    )
    def act(self, kind: type[Event], user: int, movie: int) -> None:
        self.send(kind.model_validate({"data": {"user_id": user, "movie_id": movie}}))

    @rule(user=USERS)
    def erase(self, user: int) -> None:
        self.send(UserErased.model_validate({"data": {"user_id": user}}))

    # --- what curators do

    @rule(movie=MOVIE_IDS, until=STEPS)
    def block(self, movie: int, until: int | None) -> None:
        self.send(
            MovieBlocked.model_validate({"data": {"movie_id": movie, "until": self.moment(until)}})
        )

    @rule(kind=st.sampled_from([MovieUnblocked, MovieUnpromoted]), movie=MOVIE_IDS)
    def take_back(self, kind: type[Event], movie: int) -> None:
        self.send(kind.model_validate({"data": {"movie_id": movie}}))

    @rule(movie=MOVIE_IDS, slot=st.integers(1, K), starts=STEPS, until=STEPS, for_one=st.booleans())
    def promote(
        self, movie: int, slot: int, starts: int | None, until: int | None, for_one: bool
    ) -> None:
        times = {"from": self.moment(starts), "until": self.moment(until)}
        data = {"movie_id": movie, "slots": [slot], "segments": [1] if for_one else [], **times}
        self.send(MoviePromoted.model_validate({"data": data}))

    @rule(movie=MOVIE_IDS, year=st.integers(1990, 1999))
    def change_film(self, movie: int, year: int) -> None:
        added = Movie(movie_id=movie, title=f"Film of {year}", year=year)
        self.send(MovieAdded(data=added))
        self.catalogue.put(Row.of(added))

    @rule(movie=MOVIE_IDS)
    def remove_film(self, movie: int) -> None:
        self.send(MovieRemoved.model_validate({"data": {"movie_id": movie}}))
        self.catalogue.remove(movie)

    @rule(steps=st.integers(-1, 3))
    def let_the_clock_jump(self, steps: int) -> None:
        self.now += steps * STEP

    def moment(self, steps: int | None) -> datetime | None:
        return None if steps is None else self.now + steps * STEP

    @rule(user=USERS, movie=MOVIE_IDS, ends=st.booleans())
    def ask_before_and_after_a_rule_changes(self, user: int, movie: int, ends: bool) -> None:
        """What was kept ends when a rule begins or ends, though nobody writes anything."""
        if ends:
            self.block(movie, 2)
        else:
            self.promote(movie, 1, 2, None, False)
        self.ask(user, K, False)
        self.let_the_clock_jump(2)
        self.ask(user, K, False)

    # --- what trainings do

    @rule(name=SERVICES)
    def publish(self, name: str) -> None:
        self.number += 1
        keys = self.services[name].partitions
        cut = {str(k.partition): self.store.position(k) or 0 for k in keys}
        version = f"v{self.number}"
        published = ModelVersion(
            name=name, version=version, address=version, sha256="0" * 64, cut=cut
        )
        self.send(ModelPublished(data=published))

    @rule(name=SERVICES)
    def rederive(self, name: str) -> None:
        self.services[name].rederive()
        self._note()

    @rule()
    def rederive_everything(self) -> None:
        for service in self.services.values():
            service.rederive()
        self.run()

    # --- what befalls connections

    @rule(name=SERVICES)
    def pause(self, name: str) -> None:
        self.services[name].client.paused = True

    @rule()
    def go_on(self) -> None:
        for service in self.services.values():
            service.client.paused = False
        self.run()

    @rule(name=SERVICES)
    def lose_the_connection_of_a_service(self, name: str) -> None:
        self.services[name].client.broken = True

    @rule()
    def lose_the_connection_of_the_gateway(self) -> None:
        self.client.broken = True

    @rule(turns=st.integers(1, 12))
    def follow_a_little(self, turns: int) -> None:
        self.run(turns)

    # --- what is shown

    @rule(user=USERS, k=st.integers(1, K), explain=st.booleans())
    def ask(self, user: int, k: int, explain: bool) -> None:
        self.follow()
        query = RecommendationQuery(self.profile(user), ListRequest(k), user)
        computed = self.loop.run_until_complete(self.computed(query, explain))
        ticket = self.kept.ticket(query, None, explain)
        assert ticket is not None
        found = self.kept.find(ticket)
        if found is not None:
            self.hits += 1
            assert without_id(found) == without_id(computed[1]), query
        self.kept.keep(ticket, *computed)

    @rule(user=USERS)
    def ask_twice(self, user: int) -> None:
        """A list that was just kept is given again, where the gateway and the services agree."""
        self.ask(user, K, False)
        self.ask(user, K, False)

    @rule(user=USERS, rated=st.booleans(), movie=MOVIE_IDS, year=st.integers(1990, 1999))
    def ask_while_services_are_behind(self, user: int, rated: bool, movie: int, year: int) -> None:
        """What a service that lags has answered is not kept past the change that it lacks."""
        for service in self.services.values():
            service.client.paused = True
        if rated:
            self.rate(3, movie, 10)
        else:
            self.change_film(movie, year)
        self.ask(user, K, False)
        self.go_on()
        self.ask(user, K, False)

    @rule(user=USERS, turns=st.integers(0, 8))
    def ask_during_a_swap(self, user: int, turns: int) -> None:
        """Nor is what a service has answered that had read of a version and did not serve it."""
        for name, service in self.services.items():
            self.publish(name)
            service.rederive()
        self._note()
        for _ in range(turns):
            self.loop.run_until_complete(asyncio.sleep(0))
        self.ask(user, K, False)
        self.run()
        self.ask(user, K, False)

    @invariant()
    def nothing_blocked_or_seen_is_kept(self) -> None:
        """Not even where the gateway itself is behind: rules and facts come with the request."""
        if not hasattr(self, "kept"):
            return
        for user in (1, 2):
            profile = self.profile(user)
            query = RecommendationQuery(profile, ListRequest(K), user)
            ticket = self.kept.ticket(query, None, False)
            assert ticket is not None
            if (found := self.kept.find(ticket)) is None:
                continue
            shown = {item["movie_id"] for item in orjson.loads(found)["items"]}
            assert not shown & profile.facts.seen
            assert not any(profile.rules.block(i, self.now) for i in shown)

    def follow(self) -> None:
        """Let the gateway's states come to the end of their streams, however far apps have come."""
        self._note()

        async def turn() -> None:
            for _ in range(200):
                await asyncio.sleep(0)
                if self.states.is_known and self.states.tail.entries == self.last_entries():
                    return
            raise AssertionError("the gateway does not follow")

        self.loop.run_until_complete(turn())

    def last_entries(self) -> dict[str, str]:
        last = {}
        for stream in self.states.tail.entries:
            entries = self.client._entries(stream)
            last[stream] = entries[-1][0].decode() if entries else "0-0"
        return last

    def profile(self, user: int) -> Profile:
        """Return the facts and rules as they are stored; rules are parsed when they change."""
        packed = self.store.get(GATEWAY.user(user).user(user))
        rows = [self.store.scan(keys.rules) for keys in GATEWAY.all(MOVIES)]
        if self.parsed[0] != rows:
            parsed = [{int(i): MovieRules.parse(text) for i, text in row.items()} for row in rows]
            self.parsed = (rows, Rules.of(parsed))
        return Profile(Ratings() if packed is None else StoredRatings(packed), self.parsed[1])

    async def computed(self, query: RecommendationQuery, explain: bool) -> tuple[Any, bytes]:
        answer = await self.orchestrator.answer(query)
        document = list_document(answer, query, self.catalogue)
        if explain:
            document["explain"] = explain_document(answer.filtered, self.catalogue)
        return answer, orjson.dumps(document)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        for service in self.services.values():
            service.client.paused = False
            self.loop.run_until_complete(service.replica.close())
        self.loop.run_until_complete(self.states.tail.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        marquee.serving.update_stream.RETRY_SECONDS = self.before[0]
        marquee.serving.replica.SUMS_MAX_AGE_S = self.before[1]
        gateway.upstream.model_states.POPULARITY_S = self.before[2]


def without_id(body: bytes) -> bytes:
    """Return the bytes after the id."""
    return body[body.index(b'"', len(b'{"recommendation_id":"')) :]


def test_lists_are_given_again_until_something_changes() -> None:
    """Else the machine above would prove nothing: a cache that keeps nothing is never stale."""
    machine = Keeping()
    machine.begin()
    try:
        for movie in (1, 2, 3, 4):
            machine.rate(1, movie, 9)
        machine.run()
        machine.ask_twice(1)
        machine.ask_twice(1)
        assert machine.hits == 3
        changes: list[Callable[[], None]] = [
            lambda: machine.rate(1, 5, 2),
            lambda: machine.rate(2, 6, 10),  # popularity
            lambda: machine.block(7, None),
            lambda: machine.change_film(8, 1991),
            lambda: (machine.publish("neural"), machine.rederive_everything())[0],
            machine.lose_the_connection_of_the_gateway,
        ]
        for change in changes:
            hits = machine.hits
            change()
            machine.go_on()
            machine.ask_twice(1)
            assert machine.hits == hits + 1, change
    finally:
        machine.teardown()


TestKeeping = Keeping.TestCase
TestKeeping.settings = settings(max_examples=100, stateful_step_count=30)
