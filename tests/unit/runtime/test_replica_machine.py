"""An app's memory, whatever befalls it and the streams, comes to what a fresh start would load."""

import asyncio
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import marquee.serving.update_stream
from content.consumer import HANDLERS as CONTENT_HANDLERS
from marquee.arrays import Vector
from marquee.consumer.derivation import derive_movies
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.model_versions import ModelProjection
from marquee.domain.movies import Movie
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    Event,
    ModelPublished,
    ModelVersion,
    MovieAdded,
    MovieRemoved,
    RatingAdded,
    RatingRemoved,
    UserErased,
)
from marquee.features.movie_table import MovieTable
from marquee.serving.replica import ModelReplica
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier
from marquee_testing.fakes.redis_client import MemoryClient
from marquee_testing.fakes.store import MemoryStore

KEYS = Keys("machine", "tiny", 2)
MOVIE_IDS, USERS = st.integers(1, 6), st.integers(1, 3)
EVERY = [*KEYS.all(MOVIES), *KEYS.all(RATINGS), *KEYS.all(MODELS)]


class Tiny:
    """A model of one number: a movie's vector is that number times its year."""

    half_life = None

    def __init__(self, directory: Path) -> None:
        self.version, self.factor = directory.name, np.float32(directory.name[1:])

    def movies(self) -> MovieTable:
        known = [Movie(movie_id=i, title=f"Known {i}", year=2000 + i) for i in (1, 2)]
        vectors = np.array([[self.factor * (added.year or 0)] for added in known], np.float32)
        return MovieTable.of(known, vectors, np.zeros(2, np.int16))

    def row(self, added: Movie, _: tuple[int, int, int]) -> tuple[Vector, int]:
        return np.array([self.factor * (added.year or 0)], np.float32), 3

    def sums(self, _: int) -> tuple[int, int, int]:
        return 0, 0, 0


class Registry:
    """Gives out the version that an address names."""

    def load(self, address: str, _sha256: str, load: Any) -> Any:
        return load(Path(address))


def derive_rows(unit_of_work: Any, model: Tiny) -> None:
    derive_movies(unit_of_work, model)


class Following(RuleBasedStateMachine):
    """The real consumer's side writes; the real overlay and tail follow, in an event loop."""

    @initialize()
    def begin(self) -> None:
        self.patience, marquee.serving.update_stream.RETRY_SECONDS = (
            marquee.serving.update_stream.RETRY_SECONDS,
            0.0,
        )
        self.loop = asyncio.new_event_loop()
        store: Any = MemoryStore()
        self.projection: ModelProjection[Tiny] = ModelProjection(
            KEYS,
            store,
            Registry(),
            Tiny,
            CONTENT_HANDLERS,
            derive_rows,
            restore_sums,
            check_seconds=0.0,
        )
        self.batches = BatchApplier(
            KEYS, self.projection.handlers, self.projection.derive_rows, store
        )
        for keys in EVERY:
            self.batches.store.write(keys, None, 0, [])
        self.number = 0
        self.client = MemoryClient(self.batches.store)
        self.publish(all_seen=False)
        self.saved = deepcopy(self.batches.store.values)
        self.overlay = self.start()
        self.settle()

    def start(self) -> ModelReplica[Tiny]:
        made: ModelReplica[Tiny] = ModelReplica(KEYS, self.client, Registry(), Tiny)  # type: ignore[arg-type]

        async def begin() -> None:
            made.tail.start()

        self.loop.run_until_complete(begin())
        return made

    def run(self, turns: int = 60) -> None:
        """Let the event loop turn for a while; a model is loaded in a thread beside it."""

        async def turn() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.client.note()
        self.loop.run_until_complete(turn())

    def send(self, *events: Event) -> None:
        for event in events:
            self.batches.add(event)
        self.batches.write()

    # --- what the consumer does

    @rule(movie=MOVIE_IDS, year=st.integers(1990, 1999))
    def add_movie(self, movie: int, year: int) -> None:
        self.send(MovieAdded(data=Movie(movie_id=movie, title=f"Film {movie}", year=year)))
        self.run()

    @rule(movie=MOVIE_IDS)
    def remove_movie(self, movie: int) -> None:
        self.send(MovieRemoved.model_validate({"data": {"movie_id": movie}}))

    @rule(user=USERS, movie=MOVIE_IDS, half=st.integers(1, 10))
    def rate(self, user: int, movie: int, half: int) -> None:
        data = {"user_id": user, "movie_id": movie, "rating": half / 2}
        self.send(RatingAdded.model_validate({"data": data}))
        self.run()

    @rule(user=USERS, movie=MOVIE_IDS)
    def withdraw(self, user: int, movie: int) -> None:
        data = {"user_id": user, "movie_id": movie}
        self.send(RatingRemoved.model_validate({"data": data}))

    @rule(user=USERS)
    def erase(self, user: int) -> None:
        self.send(UserErased.model_validate({"data": {"user_id": user}}))

    @rule(all_seen=st.booleans())
    def publish(self, all_seen: bool) -> None:
        """Publish a version whose training has seen the events so far, or none of them."""
        self.number += 1
        name, store = f"v{self.number}", self.batches.store
        cut = {str(k.partition): store.position(k) or 0 for k in EVERY} if all_seen else {}
        version = ModelVersion(name="tiny", version=name, address=name, sha256="0" * 64, cut=cut)
        self.send(ModelPublished(data=version))

    @rule()
    def rederive(self) -> None:
        self.projection.on_idle(frozenset(keys.partition for keys in EVERY))
        self.run()

    # --- what befalls the app, its connection, and Redis

    @rule()
    def pause(self) -> None:
        self.client.paused = True

    @rule()
    def go_on(self) -> None:
        self.client.paused = False
        self.run()

    @rule(keys=st.sampled_from(EVERY), kept=st.integers(1, 2))
    def trim(self, keys: Any, kept: int) -> None:
        self.client.note()
        self.client.trim(keys.updates, kept)

    @rule(movies=st.lists(MOVIE_IDS, min_size=3, max_size=6), year=st.integers(1990, 1999))
    def sleep_while_a_stream_is_trimmed(self, movies: list[int], year: int) -> None:
        self.client.paused = True
        for movie in movies:
            added = Movie(movie_id=movie, title="Missed", year=year)
            self.send(MovieAdded(data=added))
        for keys in EVERY:
            self.trim(keys, 1)
        self.go_on()

    @rule()
    def lose_the_connection(self) -> None:
        self.client.broken = True
        self.run()

    @rule()
    def save(self) -> None:
        self.client.note()
        self.saved = deepcopy(self.batches.store.values)

    @rule()
    def fall_back(self) -> None:
        """Let Redis come back as it was: its last second is lost, and so is the connection."""
        self.batches.store.values.clear()
        self.batches.store.values.update(deepcopy(self.saved))
        self.client.broken = True
        self.run()

    # --- what must come of it

    @rule()
    def settle(self) -> None:
        self.client.paused = False
        self.projection.on_idle(frozenset(keys.partition for keys in EVERY))
        fresh = self.start()
        wanted = self.until_equal(fresh)
        assert wanted is not None
        self.loop.run_until_complete(fresh.close())

    def until_equal(self, fresh: ModelReplica[Tiny]) -> Any:
        """Let both follow until they agree; what a fresh start loads is what counts."""
        for _ in range(50):
            self.run()
            self.loop.run_until_complete(asyncio.sleep(0.0005))
            if fresh.tail.connected and fresh._serving and state(self.overlay) == state(fresh):
                return state(fresh)
        raise AssertionError(f"the app holds {state(self.overlay)}, a fresh one {state(fresh)}")

    def teardown(self) -> None:
        self.client.paused = False
        self.loop.run_until_complete(self.overlay.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        marquee.serving.update_stream.RETRY_SECONDS = self.patience


def state(overlay: ModelReplica[Tiny]) -> Any:
    """Return version, living movies with their rows and counts, and positions."""
    if overlay._serving is None:
        return None
    movies, popularity = overlay.serving.movies, overlay.serving.popularity.now()
    rows = {
        int(movies.movie_ids[i]): (
            movies.vectors[i].tolist(), int(movies.clusters[i]), popularity.sums[i].tolist(),
        )
        for i in range(len(movies)) if movies.alive[i]
    }  # fmt: skip
    return overlay.serving.model.version, rows, overlay.positions


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=60, stateful_step_count=25)
