"""Restored facts: those of a partition of the history, packed as the store holds them."""

import struct
from collections.abc import Mapping

import numpy as np

from marquee.arrays import Ints
from marquee.bus.api import TopicPartition
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import sums_by_movie
from marquee.domain.ratings import LATEST
from marquee.events import MOVIES, decode
from marquee.store.keys import Keys
from trainer.facts.canonical import PackedFacts, digest_of
from trainer.facts.fold import VIEWED, PairRows, PartitionFacts
from trainer.facts.replay import FactStore

_HEADER = struct.Struct("<BIII")


def packed(facts: PartitionFacts, fact_set: FactSet) -> PackedFacts:
    """Return the facts of a partition that a service keeps, in packed form."""
    restored = PackedFacts(movies=_movies(facts.catalogue.movies))
    if fact_set.has_rules:
        _put_rules(restored, facts.catalogue.rules, fact_set)
    restored.erased = dict(facts.erased)
    restored.users = _users(facts.ratings, facts.marks if fact_set.has_marks else PairRows())
    if fact_set.has_sums:
        restored.sums = _sums(facts.ratings)
    return restored


def digest(topic: str, facts: PartitionFacts) -> str:
    """Return the canonical digest of all facts of a partition, as the history keeps them."""
    return digest_of(packed(facts, FACTS_BY_SERVICE["trainer"][topic]).entries())


def _movies(movies: Mapping[int, Movie]) -> dict[int, bytes]:
    return {movie_id: movie.model_dump_json().encode() for movie_id, movie in movies.items()}


def _put_rules(facts: PackedFacts, rules: Mapping[tuple[int, str], str], fact_set: FactSet) -> None:
    keys = Keys("restored", "restored", 1).of(TopicPartition(MOVIES, 0))
    store = FactStore(keys, facts)
    for text in rules.values():
        event, unit_of_work = decode(text.encode()), UnitOfWork(keys, store)
        fact_set.handlers[type(event)](unit_of_work, event)
        store.apply(unit_of_work.commands(0, 0))


def _users(ratings: PairRows, marks: PairRows) -> dict[int, bytes]:
    """Return packed ratings by user: counts, movies in the order of their changes, times."""
    parts = (ratings, marks.take(marks.codes == VIEWED), marks.take(marks.codes != VIEWED))
    users = np.unique(np.concatenate([part.user_ids for part in parts]))
    by_user = [part.by_user() for part in parts]
    spans = [_spans(part.user_ids, users) for part in by_user]
    rated, viewed, dismissed = (part.movie_ids.astype("<u4").tobytes() for part in by_user)
    halves = by_user[0].codes.tobytes()
    times = np.clip(by_user[0].times, 0, LATEST).astype("<u4")
    packed_users = {}
    for user_id, (r, r_end), (v, v_end), (d, d_end) in zip(users.tolist(), *spans, strict=True):
        packed_users[user_id] = b"".join(
            (
                _HEADER.pack(1, r_end - r, v_end - v, d_end - d),
                rated[4 * r : 4 * r_end],
                halves[r:r_end],
                viewed[4 * v : 4 * v_end],
                dismissed[4 * d : 4 * d_end],
                times[r:r_end].tobytes() if times[r:r_end].any() else b"",
            )
        )
    return packed_users


def _spans(sorted_ids: Ints, users: Ints) -> list[tuple[int, int]]:
    """Return the first and the next row of each user in sorted ids."""
    starts = np.searchsorted(sorted_ids, users, side="left").tolist()
    ends = np.searchsorted(sorted_ids, users, side="right").tolist()
    return list(zip(starts, ends, strict=True))


def _sums(ratings: PairRows) -> dict[int, bytes]:
    """Return the packed sums by movie."""
    sums = sums_by_movie(ratings.movie_ids, ratings.codes, ratings.times)
    return {movie_id: of_movie.pack() for movie_id, of_movie in sums.items()}
