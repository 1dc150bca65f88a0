"""Source of snapshots: the facts of a partition from the newest snapshot of the history."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marquee.bus.api import TopicPartition
from marquee.domain.rating_sums import RatingSums, sums_by_movie
from marquee.domain.ratings import Ratings
from marquee.errors import StoreUnavailable
from marquee.events import MOVIES, RATINGS, Event, RuleEvent, decode_kept
from marquee.snapshots.format import (
    erasures_from_table,
    newest_snapshot,
    read_movies,
    read_partition,
    release_memory,
    texts_of,
)
from marquee.snapshots.id_texts import IdTexts
from marquee.snapshots.partition import PartitionSnapshot

ATTEMPTS = 5


class StoredSnapshots:
    """Reads `<history>/snapshot-…`; the folder need not exist yet."""

    def __init__(self, history: Path) -> None:
        self._history = history

    def read(self, partition: TopicPartition) -> PartitionSnapshot | None:
        """Return the facts of a partition; None without a snapshot, or for other topics.

        Raises:
            StoreUnavailable: Snapshots are replaced faster than they can be read.
        """
        if partition.topic not in (MOVIES, RATINGS):
            return None
        for _ in range(ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):  # a newer one has just replaced it
                facts = self._facts(partition)
                release_memory()
                return facts
        raise StoreUnavailable(f"{self._history}: the snapshot is replaced again and again")

    def _facts(self, partition: TopicPartition) -> PartitionSnapshot | None:
        snapshot = newest_snapshot(self._history)
        if snapshot is None:
            return None
        position = snapshot.position(partition.topic, partition.partition)
        texts = texts_of(snapshot, partition.partition)
        if partition.topic == RATINGS:
            table = read_partition(snapshot, "ratings", partition.partition)
            users = _users(table)
            _add_marks(users, read_partition(snapshot, "marks", partition.partition))
            _add_watchlists(users, read_partition(snapshot, "watchlist", partition.partition))
            _add_texts(users, texts)
            erased = erasures_from_table(read_partition(snapshot, "erased", partition.partition))
            return PartitionSnapshot(
                partition,
                position,
                users=users,
                sums=_sums(table),
                erased=erased,
                movie_texts=_movie_texts(users, texts),
            )
        movies = tuple(read_movies(snapshot, partition.partition, texts))
        events = read_partition(snapshot, "rules", partition.partition)["event"].to_pylist()
        rules = tuple(_rule(event) for event in events)
        removed = read_partition(snapshot, "removed", partition.partition)["movie_id"].to_pylist()
        return PartitionSnapshot(partition, position, movies, rules=rules, removed=tuple(removed))


def _users(table: Any) -> dict[int, Ratings]:
    names = ("user_id", "movie_id", "half_stars", "time")
    users, movies, halves, times = (_column(table, name) for name in names)
    order = np.argsort(users, kind="stable")
    ids, starts = np.unique(users[order], return_index=True)
    movies, halves, times = movies[order], halves[order], times[order]
    ends = np.append(starts, len(users))[1:]
    return {
        int(user_id): _ratings(movies[a:b], halves[a:b], times[a:b])
        for user_id, a, b in zip(ids, starts, ends, strict=True)
    }


def _ratings(movies: Any, halves: Any, times: Any) -> Ratings:
    ratings = Ratings()
    for movie_id, half, at in zip(movies.tolist(), halves.tolist(), times.tolist(), strict=True):
        ratings.rate(movie_id, half, at)
    return ratings


def _sums(table: Any) -> dict[int, RatingSums]:
    names = ("movie_id", "half_stars", "time")
    return sums_by_movie(*(_column(table, name) for name in names))


def _add_marks(users: dict[int, Ratings], marks: Any) -> None:
    columns = [marks[name].to_pylist() for name in ("user_id", "movie_id", "kind")]
    for user_id, movie_id, kind in zip(*columns, strict=True):
        ratings = users.setdefault(user_id, Ratings())
        (ratings.view if kind == "viewed" else ratings.dismiss)(movie_id)


def _add_watchlists(users: dict[int, Ratings], watchlist: Any) -> None:
    columns = [watchlist[name].to_pylist() for name in ("user_id", "movie_id")]
    for user_id, movie_id in zip(*columns, strict=True):
        users.setdefault(user_id, Ratings()).list_for_later(movie_id)


def _add_texts(users: dict[int, Ratings], texts: IdTexts) -> None:
    """Set the ids that are strings, also of users without facts: no other may take their place."""
    for number, text in texts.users.items():
        users.setdefault(number, Ratings()).user = text


def _movie_texts(users: Mapping[int, Ratings], texts: IdTexts) -> dict[int, str]:
    """Return the texts of the movies that users have rated, marked or listed."""
    if not texts.movies:
        return {}
    known = {i for r in users.values() for i in (*r.seen, *r.watchlist) if i < 0}
    return {i: text for i, text in texts.movies.items() if i in known}


def _column(table: Any, name: str) -> Any:
    # Unlike to_numpy, this does not load pandas.
    return np.from_dlpack(table[name].combine_chunks())


def _rule(text: str) -> Event:
    """Return the event of a rule in force; the condition under which it came was met."""
    event = decode_kept(text.encode())
    return event.as_fact() if isinstance(event, RuleEvent) else event
