"""What tests share: the contracts that every implementation keeps."""

import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import pytest
from kafka.partitioner.default import murmur2

from marquee.bus import Bus, Message, Outgoing, Published, TopicPartition
from marquee.dataset import Dataset, make_dataset
from marquee.errors import BusUnavailable, Conflict, NotFound, PositionLost
from marquee.films import Film, Films, genre_mask
from marquee.partition import partition_of
from marquee.popularity import sums_of
from marquee.recommender import (
    Recommender,
    RecommendRequest,
    Route,
    Scored,
    Viewer,
    candidates,
)

TOPIC, GROUP, PARTITIONS = "ratings", "readers", 4
KEYS = tuple(str(key) for key in range(1, 41))
"""Keys that hit all four partitions."""


def until(condition: Callable[[], bool], seconds: float, step: Callable[[], object]) -> None:
    """Call `step` until the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        step()


def numbered(count: int, start: int = 0) -> list[Outgoing]:
    """Return messages that say their number, over all keys in turn."""
    return [
        Outgoing(TOPIC, KEYS[n % len(KEYS)].encode(), b"%d" % n)
        for n in range(start, start + count)
    ]


class Restartable:
    """A server that a test may stop and start again at its address; `run` takes the port."""

    def __init__(self, run: Callable[[int], AbstractContextManager[str]]) -> None:
        self._run = run
        self._stack = ExitStack()
        self.address = self._stack.enter_context(run(0))

    def stop(self) -> None:
        """Stop the server; its data stay."""
        self._stack.close()

    def start(self) -> None:
        """Start the server again."""
        port = int(self.address.rpartition(":")[2].partition("/")[0])
        self._stack.enter_context(self._run(port))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the server for the time of the context."""
        self.stop()
        try:
            yield
        finally:
            self.start()


@contextmanager
def killable(code: str, *arguments: str) -> Iterator[Callable[[], object]]:
    """Run Python code in a process of its own; what is yielded kills it, as the end does."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield process.kill
        finally:
            process.kill()


@dataclass
class Reader:
    """A member of the group; readers that share `positions` take over from each other."""

    bus: Bus
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    read: list[tuple[TopicPartition, Message]] = field(default_factory=list)
    revoked: list[TopicPartition] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subscription = self.bus.subscribe(
            GROUP, [TOPIC], lambda p: self.positions.get(p, 0), self.revoked.append
        )

    def step(self, seconds: float = 0.1, limit: int = 500) -> int:
        """Poll once and keep what came with the new positions; return how much it was."""
        found = self.subscription.poll(seconds, limit)
        for partition, messages in found.items():
            assert partition in self.subscription.assigned
            self.read += [(partition, message) for message in messages]
            self.positions[partition] = messages[-1].offset + 1
            self.subscription.commit({partition: self.positions[partition]})
        return sum(map(len, found.values()))

    def by_partition(self) -> dict[TopicPartition, list[Message]]:
        """Return what was read, in order, by partition."""
        found = defaultdict(list)
        for partition, message in self.read:
            found[partition].append(message)
        return dict(found)


Publish = Callable[[list[Outgoing]], list[Published]]
Join = Callable[[], Reader]


class BusContract:
    """What each bus promises. Subclasses give the fixture `bus` and what breaks it."""

    patience = 5.0
    """Seconds within which members agree who reads what, also after one has died."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        """Yield a bus without topics."""
        raise NotImplementedError

    def dying(self) -> AbstractContextManager[Callable[[], object]]:
        """Return a member of the group that keeps reading; what is yielded kills it silently."""
        raise NotImplementedError

    def outage(self) -> AbstractContextManager[object]:
        """Take the server down for the time of the context."""
        raise NotImplementedError

    def trim(self) -> None:
        """Forget all messages that TOPIC has."""
        raise NotImplementedError

    @pytest.fixture
    def topic(self, bus: Bus) -> Bus:
        """Return the bus with TOPIC."""
        bus.create_topics({TOPIC: PARTITIONS})
        return bus

    @pytest.fixture
    def publish(self, topic: Bus) -> Iterator[Publish]:
        """Yield a producer's method."""
        producer = topic.producer()
        yield producer.publish
        producer.close()

    @pytest.fixture
    def join(self, topic: Bus) -> Iterator[Join]:
        """Yield a function that adds a reader; all of them share their positions."""
        readers: list[Reader] = []
        positions: dict[TopicPartition, int] = {}

        def add() -> Reader:
            readers.append(Reader(topic, positions))
            return readers[-1]

        yield add
        for reader in readers:
            reader.subscription.close()

    def settle(self, *readers: Reader) -> None:
        """Step readers until they have all partitions, evenly."""
        share = PARTITIONS // len(readers)

        def step() -> None:
            for reader in readers:
                reader.step()

        until(
            lambda: all(len(r.subscription.assigned) == share for r in readers),
            self.patience,
            step,
        )

    # --- topics

    def test_a_topic_has_the_partitions_it_was_made_with(self, topic: Bus) -> None:
        topic.create_topics({TOPIC: PARTITIONS, "models": 1})
        assert (topic.partitions(TOPIC), topic.partitions("models")) == (PARTITIONS, 1)

    def test_another_number_of_partitions_is_a_conflict(self, topic: Bus) -> None:
        with pytest.raises(Conflict, match="4 partitions, not 8"):
            topic.create_topics({TOPIC: 8})
        assert topic.partitions(TOPIC) == PARTITIONS

    def test_a_topic_that_nobody_made_is_not_found(self, bus: Bus) -> None:
        producer = bus.producer()
        with pytest.raises(NotFound, match="nowhere"):
            bus.partitions("nowhere")
        with pytest.raises((NotFound, BusUnavailable)):
            producer.publish([Outgoing("nowhere", b"1", b"lost")])
        producer.close()

    # --- publishing and reading

    def test_offsets_are_dense_and_keys_keep_their_order_and_partition(
        self, publish: Publish, join: Join
    ) -> None:
        sent = numbered(400)
        places = publish(sent[:1]) + publish(sent[1:])
        for message, place in zip(sent, places, strict=True):
            theirs = (murmur2(message.key) & 0x7FFFFFFF) % PARTITIONS
            assert place.partition == TopicPartition(TOPIC, theirs)
            assert partition_of(message.key.decode(), PARTITIONS) == theirs
        reader = join()
        until(lambda: len(reader.read) >= 400, self.patience, reader.step)
        logs = reader.by_partition()
        assert len(logs) == PARTITIONS
        for partition, log in logs.items():
            expected = [
                (place.offset, message.key, message.value)
                for message, place in zip(sent, places, strict=True)
                if place.partition == partition
            ]
            assert [(m.offset, m.key, m.value) for m in log] == expected
            assert [m.offset for m in log] == list(range(len(log)))

    def test_headers_and_bytes_come_back(self, publish: Publish, join: Join) -> None:
        value, headers = bytes(range(256)), {"reason": "späte Nachricht", "group": "content"}
        publish([Outgoing(TOPIC, b"7", value, headers), Outgoing(TOPIC, b"7", b"")])
        reader = join()
        until(lambda: len(reader.read) >= 2, self.patience, reader.step)
        first, second = (message for _, message in reader.read)
        assert (first.key, first.value, dict(first.headers)) == (b"7", value, headers)
        assert (second.value, dict(second.headers)) == (b"", {})

    def test_threads_may_share_a_producer(self, publish: Publish, join: Join) -> None:
        def work(key: str) -> None:
            for n in range(0, 50, 10):
                publish([Outgoing(TOPIC, key.encode(), b"%d" % i) for i in range(n, n + 10)])

        threads = [threading.Thread(target=work, args=(key,)) for key in KEYS[:6]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader = join()
        until(lambda: len(reader.read) >= 300, self.patience, reader.step)
        for key in KEYS[:6]:
            values = [m.value for _, m in reader.read if m.key == key.encode()]
            assert values == [b"%d" % n for n in range(50)]

    def test_a_poll_keeps_its_limit_and_starves_no_partition(
        self, publish: Publish, join: Join
    ) -> None:
        publish(numbered(400))
        reader = join()
        self.settle_without_reading(reader)
        counts = [reader.step(1.0, 10) for _ in range(12)]
        assert max(counts) <= 10
        assert sum(counts) >= 60
        until(lambda: len(reader.read) >= 400, self.patience, lambda: reader.step(0.1, 7))
        assert len({(p, m.offset) for p, m in reader.read}) == 400

    def settle_without_reading(self, reader: Reader) -> None:
        """Wait for all partitions; what is read meanwhile is dropped and read again."""
        until(
            lambda: len(reader.subscription.assigned) == PARTITIONS,
            self.patience,
            lambda: reader.subscription.poll(0.1, 1),
        )
        for partition in reader.subscription.assigned:
            reader.subscription.seek(partition, 0)

    def test_an_empty_poll_returns_in_time(self, join: Join) -> None:
        reader = join()
        self.settle(reader)
        start = time.monotonic()
        assert reader.subscription.poll(0.4, 10) == {}
        assert 0.3 < time.monotonic() - start < 2.0

    def test_a_waiting_poll_returns_soon_after_a_message(
        self, publish: Publish, join: Join
    ) -> None:
        reader = join()
        self.settle(reader)
        timer = threading.Timer(0.2, publish, [numbered(1)])
        timer.start()
        start = time.monotonic()
        assert reader.step(5.0) == 1
        assert time.monotonic() - start < 2.0
        timer.join()

    # --- positions

    def test_reading_starts_where_on_assigned_says_and_seek_replays(
        self, publish: Publish, join: Join
    ) -> None:
        places = publish(numbered(200))
        reader = join()
        skipped = {TopicPartition(TOPIC, p): 3 * p for p in range(PARTITIONS)}
        reader.positions.update(skipped)
        expected = {
            (p.partition, p.offset) for p in places if p.offset >= 3 * p.partition.partition
        }
        until(lambda: len(reader.read) >= len(expected), self.patience, reader.step)
        assert [(p, m.offset) for p, m in reader.read if (p, m.offset) not in expected] == []
        again = TopicPartition(TOPIC, 2)
        before = len(reader.read)
        reader.subscription.seek(again, 7)
        tail = [offset for p, offset in sorted(expected) if p == again and offset >= 7]
        until(lambda: len(reader.read) >= before + len(tail), self.patience, reader.step)
        assert reader.read[before:] == [
            (p, m) for p, m in reader.read[:before] if p == again and m.offset >= 7
        ]

    def test_ends_and_commits_tell_the_lag(self, publish: Publish, join: Join) -> None:
        places = publish(numbered(100))
        reader = join()
        self.settle(reader)
        until(lambda: len(reader.read) >= 100, self.patience, reader.step)
        ends = {TopicPartition(TOPIC, p): 0 for p in range(PARTITIONS)}
        for place in places:
            ends[place.partition] = place.offset + 1
        assert reader.subscription.ends() == ends == reader.positions

    @pytest.mark.parametrize("distance", [1, 1000])
    def test_a_position_beyond_the_end_is_lost(
        self, publish: Publish, join: Join, distance: int
    ) -> None:
        places = publish(numbered(40))
        target = places[0].partition
        end = sum(place.partition == target for place in places)
        reader = join()
        reader.positions[target] = end + distance
        with pytest.raises(PositionLost, match=rf"{target}.*{end + distance}.*0 to {end}"):
            until(lambda: False, self.patience, reader.step)
        reader.subscription.seek(target, end)
        until(lambda: len(reader.read) >= 40 - end, self.patience, reader.step)

    def test_a_position_that_was_trimmed_away_is_lost(self, publish: Publish, join: Join) -> None:
        places = publish(numbered(40))
        reader = join()
        until(lambda: len(reader.read) >= 40, self.patience, reader.step)
        self.trim()
        assert publish(numbered(1))[0].offset == reader.positions[places[0].partition]
        until(lambda: len(reader.read) >= 41, self.patience, reader.step)
        reader.subscription.seek(places[0].partition, 0)
        with pytest.raises(PositionLost, match=f"{places[0].partition}.*position 0"):
            until(lambda: False, self.patience, reader.step)

    def test_a_store_that_fails_in_on_assigned_is_asked_again(
        self, topic: Bus, publish: Publish
    ) -> None:
        publish(numbered(40))
        asked: list[TopicPartition] = []

        def position(partition: TopicPartition) -> int:
            asked.append(partition)
            if len(asked) == 1:
                raise RuntimeError("the store is away")
            return 0

        subscription = topic.subscribe(GROUP, [TOPIC], position, asked.append)
        found: list[Message] = []

        def step() -> None:
            for messages in subscription.poll(0.1, 100).values():
                found.extend(messages)

        with pytest.raises(RuntimeError, match="the store is away"):
            until(lambda: False, self.patience, step)
        until(lambda: len(found) >= 40, self.patience, step)
        assert asked[0] in asked[1:]
        assert len(found) == 40
        subscription.close()

    # --- groups

    def test_members_share_partitions_and_lose_nothing(self, publish: Publish, join: Join) -> None:
        first = join()
        self.settle(first)
        publish(numbered(200))
        second = join()
        self.settle(first, second)
        assert first.subscription.assigned.isdisjoint(second.subscription.assigned)
        assert len(first.revoked) >= 2
        publish(numbered(200, 200))
        both = (first, second)
        until(
            lambda: sum(len(r.read) for r in both) >= 400,
            self.patience,
            lambda: [r.step() for r in both],
        )
        first.subscription.close()
        self.settle(second)
        publish(numbered(200, 400))
        until(lambda: sum(len(r.read) for r in both) >= 600, self.patience, second.step)
        seen = [(p, m.offset) for reader in both for p, m in reader.read]
        assert len(seen) == len(set(seen)) == 600

    def test_a_member_that_dies_is_replaced(self, publish: Publish, join: Join) -> None:
        publish(numbered(40))
        reader = join()
        self.settle(reader)
        with self.dying() as kill:
            until(lambda: len(reader.subscription.assigned) == 2, 30.0, reader.step)
            kill()
            self.settle(reader)
        publish(numbered(40, 40))
        until(lambda: len(reader.read) >= 80, self.patience, reader.step)
        assert len({(p, m.offset) for p, m in reader.read}) == len(reader.read) == 80

    # --- a server that goes and comes

    def test_an_outage_is_said_and_loses_nothing(self, publish: Publish, join: Join) -> None:
        publish(numbered(40))
        reader = join()
        until(lambda: len(reader.read) >= 40, self.patience, reader.step)
        with self.outage():
            with pytest.raises(BusUnavailable):
                publish(numbered(1, 1000))
            with pytest.raises(BusUnavailable):
                until(lambda: False, 15.0, reader.step)
            reader.subscription.commit(reader.positions)
        sent: list[Published] = []

        def step() -> None:
            try:
                if not sent:
                    sent.extend(publish(numbered(40, 40)))
                reader.step()
            except BusUnavailable:
                time.sleep(0.05)

        values = {b"%d" % n for n in range(80)}
        until(lambda: values <= {m.value for _, m in reader.read}, 30.0, step)
        for log in reader.by_partition().values():
            assert [m.offset for m in log] == list(range(len(log)))


def checkerboard(users: int = 40, films: int = 24) -> Dataset:
    """Return ratings in two halves: even users like even films, odd users odd ones, a kind each.

    Of the films of his kind a user leaves out a quarter; he has seen a quarter of the others too.
    Some films are less known than others.
    """
    catalogue = [
        Film(
            movie_id=10 + i,
            title=f"Film {i}",
            year=1990 + i % 2 * 20,
            genres=("Action",) if i % 2 == 0 else ("Romance",),
            tags={"chase" if i % 2 == 0 else "letters": 0.9},
        )
        for i in range(films)
    ]
    pairs = [
        (user, i)
        for user in range(users)
        for i in range(films)
        if ((i + user) % 2 == 1) == ((i // 2 + user // 2) % 4 == 0) and user // 2 >= i // 2 % 5
    ]
    owners, rows = np.array(pairs, np.int64).T
    likes = owners % 2 == rows % 2
    return make_dataset(
        owners + 1,
        rows + 10,
        np.where(likes, 10, 2).astype(np.uint8),
        owners * 100 + rows,
        catalogue,
    )


class FittedModel(Recommender, Protocol):
    """A recommender that is fitted, kept on disk and read again."""

    def films(self) -> Films:
        """Return a new table of the rows that the model was fitted with."""
        ...

    def row(self, film: Film, sums: tuple[int, int, int]) -> tuple[npt.NDArray[np.float32], int]:
        """Return the vector and cluster of a film."""
        ...

    def save(self, directory: Path) -> None:
        """Write the artifacts."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the artifacts."""
        ...


class RecommenderContract:
    """What every fitted recommender keeps; a test class gives `fit`."""

    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> FittedModel:
        """Return a model of small size, fitted to a data set."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> FittedModel:
        """A model of the checkerboard."""
        return cls.fit(checkerboard())

    def ask(
        self, model: FittedModel, viewer: Viewer, k: int = 5, films: Films | None = None
    ) -> list[Scored]:
        """Return the answer for a viewer, from whom the films that he rated or viewed are kept."""
        films = films or model.films()
        request = RecommendRequest(
            route=Route.HYBRID,
            ratings=tuple(
                (int(i), float(s))
                for i, s in zip(viewer.rated.movie_ids, viewer.rated.stars, strict=True)
            ),
            viewed=tuple(viewer.viewed.tolist()),
        )
        return model.recommend(viewer, films, candidates(request, films), k)

    def test_a_viewer_of_one_kind_of_film_gets_that_kind(self, model: FittedModel) -> None:
        for first in (10, 11):
            viewer = Viewer.of([(first, 5.0), (first + 2, 5.0), (first + 4, 4.5)])
            answer = self.ask(model, viewer)
            assert len(answer) == 5
            assert {scored.movie_id % 2 for scored in answer} == {first % 2}

    def test_a_viewer_of_whom_nothing_is_known_gets_an_answer(self, model: FittedModel) -> None:
        answer = self.ask(model, Viewer.of())
        assert len(answer) == 5

    def test_ratings_of_unknown_films_change_nothing(self, model: FittedModel) -> None:
        viewer, more = Viewer.of([(10, 5.0)]), Viewer.of([(10, 5.0), (999, 1.0)])
        assert self.ask(model, viewer) == self.ask(model, more)

    def test_films_outside_the_mask_never_appear(self, model: FittedModel) -> None:
        films = model.films()
        mask = films.years == 1990
        answer = model.recommend(Viewer.of([(11, 5.0)], [13]), films, mask, 50)
        assert {scored.movie_id for scored in answer} == set(films.movie_ids[mask].tolist())

    def test_no_film_within_the_mask_is_an_empty_answer(self, model: FittedModel) -> None:
        films = model.films()
        nothing = np.zeros(len(films), bool)
        assert model.recommend(Viewer.of([(10, 5.0)]), films, nothing, 5) == []

    def test_more_than_there_is_gives_all_there_is_once(self, model: FittedModel) -> None:
        answer = self.ask(model, Viewer.of([(10, 5.0), (11, 1.0)]), k=1000)
        ids = [scored.movie_id for scored in answer]
        assert sorted(ids) == sorted(set(model.films().movie_ids.tolist()) - {10, 11})

    def test_scores_are_finite_and_fall(self, model: FittedModel) -> None:
        answer = self.ask(model, Viewer.of([(10, 5.0), (11, 1.0)]), k=100)
        scores = [scored.score for scored in answer]
        assert np.isfinite(scores).all()
        assert scores == sorted(scores, reverse=True)

    def test_what_was_saved_answers_the_same(self, model: FittedModel, tmp_path: Path) -> None:
        model.save(tmp_path)
        again = type(model).load(tmp_path)
        viewer = Viewer.of([(10, 5.0), (13, 2.0)], [14])
        assert self.ask(again, viewer, 20) == self.ask(model, viewer, 20)

    def test_the_same_seed_gives_the_same_model(self, model: FittedModel) -> None:
        viewer = Viewer.of([(10, 5.0), (13, 2.0)], [14])
        assert self.ask(self.fit(checkerboard()), viewer, 20) == self.ask(model, viewer, 20)

    def test_a_film_put_by_its_row_is_recommended(self, model: FittedModel) -> None:
        films = model.films()
        film = Film(movie_id=500, title="New", year=1990, genres=("Action",), tags={"chase": 0.9})
        films.put(500, genre_mask(film.genres), film.year, *model.row(film, (0, 0, 0)))
        viewer = Viewer.of([(10, 5.0), (12, 5.0), (14, 4.5)])
        answer = [scored.movie_id for scored in self.ask(model, viewer, 100, films)]
        assert 500 in answer
        assert answer.index(500) < len(answer) // 2

    def test_a_base_film_keeps_its_row(self, model: FittedModel) -> None:
        films = model.films()
        film = checkerboard().films[3]
        vector, cluster = model.row(film, sums_of_film(checkerboard(), film.movie_id))
        assert np.allclose(vector, films.vectors[3], atol=1e-5)
        assert cluster == films.clusters[3]

    @pytest.mark.parametrize("dataset", ["one user", "no tags", "constant", "unrated", "one film"])
    def test_poor_data_still_give_finite_answers(self, dataset: str) -> None:
        model = self.fit(POOR_DATA[dataset]())
        answer = self.ask(model, Viewer.of([(10, 5.0), (11, 1.0)]), k=1000)
        assert {scored.movie_id for scored in answer} == set(model.films().movie_ids.tolist()) - {
            10,
            11,
        }
        assert np.isfinite([scored.score for scored in answer]).all()


def sums_of_film(dataset: Dataset, movie_id: int) -> tuple[int, int, int]:
    """Return the sums of a film in a data set, zeros without a rating."""
    return sums_of(dataset.movie_ids, dataset.half_stars).get(movie_id, (0, 0, 0))


def _without_tags() -> Dataset:
    films = tuple(film.model_copy(update={"tags": {}}) for film in checkerboard().films)
    return replace(checkerboard(), films=films)


def _constant() -> Dataset:
    dataset = checkerboard()
    return replace(dataset, half_stars=np.full_like(dataset.half_stars, 6))


def _one_user() -> Dataset:
    dataset = checkerboard()
    return dataset.of_rows(dataset.user_ids == 1)


def _unrated() -> Dataset:
    dataset = checkerboard()
    return dataset.of_rows(np.zeros(len(dataset), bool))


def _one_film() -> Dataset:
    dataset = checkerboard()
    chosen = dataset.of_rows(dataset.movie_ids == 12)
    return replace(chosen, films=tuple(f for f in chosen.films if f.movie_id == 12))


POOR_DATA: Mapping[str, Callable[[], Dataset]] = {
    "one user": _one_user,
    "no tags": _without_tags,
    "constant": _constant,
    "unrated": _unrated,
    "one film": _one_film,
}
"""Data sets that leave a model little to learn from."""
