"""The facts of one partition at a position, in pieces of bounded size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from marquee.bus.api import TopicPartition
from marquee.domain.movies import Film
from marquee.domain.ratings import POSITIVE, Ratings
from marquee.events import (
    Event,
)

Sums = tuple[int, int, int]


K = TypeVar("K")


T = TypeVar("T")


@dataclass(frozen=True)
class PartitionSnapshot:
    """The facts of one partition at a position: films and rules, or viewers."""

    partition: TopicPartition
    position: int
    films: tuple[Film, ...] = ()
    viewers: Mapping[int, Ratings] | None = None
    rules: tuple[Event, ...] = ()
    removed: tuple[int, ...] = ()
    """Films that were taken out of the catalogue, which a model may know from its training."""
    sums: Mapping[int, Sums] | None = None
    """What the viewers' ratings sum up to, film by film; None: not added up yet."""
    erased: Mapping[bytes, int] = field(default_factory=dict)
    """The erasure list: digest of a viewer's id → offset."""


def chunks(snapshot: PartitionSnapshot, size: int = 256) -> Iterator[PartitionSnapshot]:
    """Return the snapshot in pieces of at most `size` films or viewers.

    Each piece states what is, so that one which is put twice does no harm.
    """
    about = snapshot.partition, snapshot.position
    for start in range(0, len(snapshot.films), size):
        yield PartitionSnapshot(*about, snapshot.films[start : start + size])
    for start in range(0, len(snapshot.rules), size):
        yield PartitionSnapshot(*about, rules=snapshot.rules[start : start + size])
    for start in range(0, len(snapshot.removed), size):
        yield PartitionSnapshot(*about, removed=snapshot.removed[start : start + size])
    viewers = snapshot.viewers or {}
    for piece in _pieces(viewers, size):
        yield PartitionSnapshot(*about, viewers=piece)
    sums = sums_of(viewers) if snapshot.sums is None else snapshot.sums
    for counted in _pieces(sums, size):
        yield PartitionSnapshot(*about, sums=counted)
    for erased in _pieces(snapshot.erased, size):
        yield PartitionSnapshot(*about, erased=erased)


def _pieces(whole: Mapping[K, T], size: int) -> Iterator[dict[K, T]]:
    rest = iter(whole.items())
    while piece := dict(islice(rest, size)):
        yield piece


def sums_of(viewers: Mapping[int, Ratings]) -> dict[int, Sums]:
    """Return what viewers' ratings sum up to, film by film: n, positive, half stars."""
    found: dict[int, Sums] = {}
    for ratings in viewers.values():
        for movie_id, half in ratings.rated.items():
            n, positive, total = found.get(movie_id, (0, 0, 0))
            found[movie_id] = n + 1, positive + (half >= POSITIVE), total + half
    return found
