"""The trainer's consumer: each event is in the history once, whatever dies when."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from marquee.bus.api import Outgoing
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.domain.movies import Movie
from marquee.events import (
    MOVIES,
    RATINGS,
    Event,
    MovieAdded,
    MovieRef,
    MovieRemoved,
    Rating,
    RatingAdded,
    RatingRemoved,
    UserMovie,
)
from marquee_testing import until
from trainer.consumer import HistoryConsumer
from trainer.history.history import History

PARTITIONS = 4
USERS = range(1, 41)


@pytest.fixture
def bus(redis_url: str, namespace: str) -> Iterator[RedisBus]:
    bus = RedisBus(redis_url, namespace, lease_s=0.5)
    create_topics(bus, PARTITIONS)
    yield bus
    bus.close()


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", PARTITIONS)


@contextmanager
def consuming(bus: RedisBus, history: History, seconds: float = 0.05) -> Iterator[HistoryConsumer]:
    """Run a consumer in a thread; at the end it writes what it has read."""
    consumer = HistoryConsumer(bus, history, seconds=seconds)
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        yield consumer
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def publish(bus: RedisBus, *events: Event) -> None:
    bus.producer().publish([Outgoing.of(event) for event in events])


def movie(movie_id: int) -> MovieAdded:
    return MovieAdded(data=Movie(movie_id=movie_id, title=f"Film {movie_id}"))


def rating(user_id: int, movie_id: int, stars: float) -> RatingAdded:
    return RatingAdded(data=Rating(user_id=user_id, movie_id=movie_id, rating=stars))


def ends(bus: RedisBus) -> dict[str, int]:
    from marquee.bus.api import TopicPartition

    every = [TopicPartition(t, p) for t in (MOVIES, RATINGS) for p in range(PARTITIONS)]
    return {str(p): end for p, (_, end) in bus.streams.ranges(every).items()}


def rated(history: History) -> dict[tuple[int, int], int]:
    """Return half stars by user and movie."""
    dataset, _ = history.dataset()
    columns = (dataset.user_ids.tolist(), dataset.movie_ids.tolist(), dataset.half_stars.tolist())
    return {(user, movie): half for user, movie, half in zip(*columns, strict=True)}


def test_events_of_both_topics_reach_the_history(bus: RedisBus, history: History) -> None:
    publish(bus, movie(1), movie(2), *(rating(user, 1, 4.0) for user in USERS))
    publish(bus, rating(1, 2, 2.5), RatingRemoved(data=UserMovie(user_id=2, movie_id=1)))
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    expected = {(user, 1): 8 for user in USERS if user != 2} | {(1, 2): 5}
    assert rated(history) == expected
    publish(bus, MovieRemoved(data=MovieRef(movie_id=1)))
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    assert rated(history) == {(1, 2): 5}


def test_what_was_read_is_written_when_the_consumer_stops(bus: RedisBus, history: History) -> None:
    publish(bus, movie(1), *(rating(user, 1, 4.0) for user in USERS))
    with consuming(bus, history, seconds=600) as consumer:
        until(lambda: sum(b.size for b in consumer._buffers.values()) == 1 + len(USERS))
        assert not any(history.cut().values())
    assert history.cut() == ends(bus)


def test_an_unreadable_message_and_one_on_a_wrong_partition_are_passed_over(
    bus: RedisBus, history: History
) -> None:
    publish(bus, movie(1))
    stray = rating(7, 1, 5.0)
    bus.producer().publish(
        [Outgoing(RATINGS, b"7", b"{not json"), Outgoing(RATINGS, b"8", stray.encode())]
    )
    publish(bus, rating(7, 1, 3.0))
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    assert rated(history) == {(7, 1): 6}


def test_a_late_duplicate_does_not_undo_what_came_since(bus: RedisBus, history: History) -> None:
    first, second = rating(7, 1, 2.0), rating(7, 1, 5.0)
    publish(bus, movie(1), first, second)
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    publish(bus, first)  # by a producer that tries again; the next consumer knows it all the same
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    assert rated(history) == {(7, 1): 10}


KILLED = """
    import sys, threading
    from pathlib import Path
    from marquee.bus.redis.bus import RedisBus
    from trainer.consumer import HistoryConsumer
    from trainer.history.history import History

    url, namespace, directory = sys.argv[1:]

    class Stuck(History):
        def append(self, *arguments):
            super().append(*arguments)
            print("appended", flush=True)
            threading.Event().wait()

    bus = RedisBus(url, namespace, lease_s=0.5)
    HistoryConsumer(bus, Stuck(Path(directory), 4), seconds=0.05).run(threading.Event())
"""


def test_a_kill_between_append_and_commit_neither_loses_nor_repeats_an_event(
    bus: RedisBus, history: History, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    publish(bus, movie(1), *(rating(user, 1, 4.0) for user in USERS))
    arguments = (redis_url, namespace, str(tmp_path / "history"))
    command = [sys.executable, "-c", textwrap.dedent(KILLED), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "appended\n"
        os.kill(child.pid, signal.SIGKILL)
    assert 0 < sum(history.cut().values()) < 1 + len(USERS)
    assert not bus.committed("trainer")
    publish(bus, *(rating(user, 1, 2.0) for user in USERS if user % 2))
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    assert rated(history) == {(user, 1): 4 if user % 2 else 8 for user in USERS}
    folders = [tmp_path / "history" / name.replace(":", "-") for name in history.cut()]
    events = sum(rows_in(folder) for folder in folders if folder.exists())
    assert events == 1 + len(USERS) + len(USERS) // 2


def rows_in(folder: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in folder.glob("[!.]*.parquet"))


def test_two_consumers_share_the_partitions(bus: RedisBus, history: History) -> None:
    publish(bus, movie(1))
    with consuming(bus, history), consuming(bus, history):
        for _ in range(5):
            publish(bus, *(rating(user, 1, 4.0) for user in USERS))
        until(lambda: history.cut() == ends(bus))
    assert rated(history) == {(user, 1): 8 for user in USERS}


def test_the_process_ends_soon_after_sigterm_with_all_that_it_read(
    bus: RedisBus, history: History, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    publish(bus, movie(1), *(rating(user, 1, 4.0) for user in USERS))
    environ = {
        **os.environ,
        "MARQUEE_REDIS_URL": redis_url,
        "MARQUEE_NAMESPACE": namespace,
        "MARQUEE_STATE": str(tmp_path),
    }
    command = [sys.executable, "-m", "trainer", "consumer"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as child:
        until(lambda: history.cut() == ends(bus))
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 0
    assert len(rated(history)) == len(USERS)


def test_a_topic_made_anew_is_not_taken_for_the_one_that_the_history_was_read_from(
    bus: RedisBus, history: History, namespace: str
) -> None:
    publish(bus, movie(1), movie(2), *(rating(user, 1, 4.0) for user in USERS))
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    before = rated(history)
    assert len(before) == len(USERS)
    bus.client.delete(*(f"{namespace}:log:{{{RATINGS}:{n}}}" for n in range(PARTITIONS)))
    bus.client.hdel(f"{namespace}:topics", RATINGS)
    bus.client.hdel(f"{namespace}:topic_ids", RATINGS)
    create_topics(bus, PARTITIONS)
    publish(bus, *(rating(user, 1, 1.0) for user in USERS), *(rating(u, 2, 1.0) for u in USERS))
    with consuming(bus, history) as consumer:
        until(lambda: "log" in consumer.health.stopped)
        assert not consumer.health.ready
        assert "deleted and made anew" in consumer.health.stopped["log"]
        assert f"move {history.directory} away" in consumer.health.stopped["log"]
    assert rated(history) == before


def test_a_log_that_lost_what_was_not_read_stops_the_history(
    bus: RedisBus, history: History, namespace: str
) -> None:
    publish(bus, movie(1), rating(1, 1, 4.0))
    with consuming(bus, history):
        until(lambda: history.cut() == ends(bus))
    publish(bus, rating(1, 2, 4.0), rating(1, 3, 4.0))
    for number in range(PARTITIONS):
        log = f"{namespace}:log:{{{RATINGS}:{number}}}"
        bus.client.xtrim(log, maxlen=0, approximate=False)
    with consuming(bus, history) as consumer:
        until(lambda: "log" in consumer.health.stopped)
        assert "has dropped messages" in consumer.health.stopped["log"]
    assert rated(history) == {(1, 1): 8}
