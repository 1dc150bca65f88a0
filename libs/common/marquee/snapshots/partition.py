"""The facts of one partition at a position, in pieces of bounded size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from marquee.bus.api import TopicPartition
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums, sums_of_users
from marquee.domain.ratings import Ratings
from marquee.events import Event

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class PartitionSnapshot:
    """The facts of one partition at a position: movies and rules, or users."""

    partition: TopicPartition
    position: int
    movies: tuple[Movie, ...] = ()
    users: Mapping[int, Ratings] | None = None
    rules: tuple[Event, ...] = ()
    removed: tuple[int, ...] = ()
    """Movies removed from the catalogue, which a model may know from its training."""
    sums: Mapping[int, RatingSums] | None = None
    """Sums of the users' ratings by movie; None: not added up yet."""
    erased: Mapping[bytes, int] = field(default_factory=dict)
    """The erasure list: digest of a user's id → offset."""
    movie_texts: Mapping[int, str] = field(default_factory=dict)
    """The ids of the users' movies that are strings, by number."""


def chunks(snapshot: PartitionSnapshot, size: int = 256) -> Iterator[PartitionSnapshot]:
    """Yield the snapshot in pieces of at most `size` movies or users.

    Each piece states final values, so that putting one twice does no harm.
    """
    head = snapshot.partition, snapshot.position
    for start in range(0, len(snapshot.movies), size):
        yield PartitionSnapshot(*head, snapshot.movies[start : start + size])
    for start in range(0, len(snapshot.rules), size):
        yield PartitionSnapshot(*head, rules=snapshot.rules[start : start + size])
    for start in range(0, len(snapshot.removed), size):
        yield PartitionSnapshot(*head, removed=snapshot.removed[start : start + size])
    users = snapshot.users or {}
    for piece in _pieces(users, size):
        yield PartitionSnapshot(*head, users=piece)
    sums = sums_of_users(users.values()) if snapshot.sums is None else snapshot.sums
    for counted in _pieces(sums, size):
        yield PartitionSnapshot(*head, sums=counted)
    for texts in _pieces(snapshot.movie_texts, size):
        yield PartitionSnapshot(*head, movie_texts=texts)
    for erased in _pieces(snapshot.erased, size):
        yield PartitionSnapshot(*head, erased=erased)


def _pieces(whole: Mapping[K, T], size: int) -> Iterator[dict[K, T]]:
    items = iter(whole.items())
    while piece := dict(islice(items, size)):
        yield piece
