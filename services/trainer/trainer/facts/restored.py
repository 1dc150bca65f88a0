"""Facts of a partition out of the history, packed as they stand in the store, by whole arrays."""

import struct
from collections.abc import Mapping

import numpy as np

from marquee.bus.api import TopicPartition
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.movies import Movie
from marquee.domain.ratings import POSITIVE
from marquee.events import MOVIES, decode
from marquee.store.codec import pack_sums
from marquee.store.keys import Keys
from trainer.facts.canonical import PackedFacts, digest_of
from trainer.facts.fold import VIEWED, PairRows, PartitionFacts
from trainer.facts.replay import FactStore

_HEADER = struct.Struct("<BIII")


def packed(facts: PartitionFacts, kept: FactSet) -> PackedFacts:
    """Return what a service keeps of a partition's facts."""
    found = PackedFacts(movies=_movies(facts.catalogue.movies))
    if kept.has_rules:
        _put_rules(found, facts.catalogue.rules, kept)
    found.erased = dict(facts.erased)
    found.users = _users(facts.ratings, facts.marks if kept.has_marks else PairRows())
    if kept.has_sums:
        found.sums = _sums(facts.ratings)
    return found


def digest(topic: str, facts: PartitionFacts) -> str:
    """Return the canonical digest of all facts of a partition, as the history keeps them."""
    return digest_of(packed(facts, FACTS_BY_SERVICE["trainer"][topic]).entries())


def _movies(movies: Mapping[int, Movie]) -> dict[int, bytes]:
    return {movie_id: movie.model_dump_json().encode() for movie_id, movie in movies.items()}


def _put_rules(found: PackedFacts, rules: Mapping[tuple[int, str], str], kept: FactSet) -> None:
    keys = Keys("restored", "restored", 1).of(TopicPartition(MOVIES, 0))
    store = FactStore(keys, found)
    for text in rules.values():
        event, unit_of_work = decode(text.encode()), UnitOfWork(keys, store)
        kept.handlers[type(event)](unit_of_work, event)
        store.apply(unit_of_work.commands(0, 0))


def _users(ratings: PairRows, marks: PairRows) -> dict[int, bytes]:
    """Return packed ratings by user: the counts, then the movies in the order of their changes."""
    parts = (ratings, marks.take(marks.codes == VIEWED), marks.take(marks.codes != VIEWED))
    users = np.unique(np.concatenate([part.user_ids for part in parts]))
    by_user = [part.by_user() for part in parts]
    bounds = [np.searchsorted(part.user_ids, users, side="left").tolist() for part in by_user]
    ends = [np.searchsorted(part.user_ids, users, side="right").tolist() for part in by_user]
    rated, viewed, dismissed = (part.movie_ids.astype("<u4").tobytes() for part in by_user)
    halves = by_user[0].codes.tobytes()
    found = {}
    for user_id, a, b, c, d, e, f in zip(
        users.tolist(), bounds[0], ends[0], bounds[1], ends[1], bounds[2], ends[2], strict=True
    ):
        found[user_id] = b"".join(
            (
                _HEADER.pack(1, b - a, d - c, f - e),
                rated[4 * a : 4 * b],
                halves[a:b],
                viewed[4 * c : 4 * d],
                dismissed[4 * e : 4 * f],
            )
        )
    return found


def _sums(ratings: PairRows) -> dict[int, bytes]:
    """Return n, positive and half stars by movie, packed."""
    movies, index = np.unique(ratings.movie_ids, return_inverse=True)
    n = np.bincount(index, minlength=len(movies))
    positive = np.bincount(index, ratings.codes >= POSITIVE, len(movies)).astype(np.int64)
    half = np.bincount(index, ratings.codes, len(movies)).astype(np.int64)
    columns = (movies.tolist(), n.tolist(), positive.tolist(), half.tolist())
    return {i: pack_sums((a, b, c)) for i, a, b, c in zip(*columns, strict=True)}
