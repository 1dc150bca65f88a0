"""Restored facts: those of a partition of the history, packed as the store holds them."""

from collections.abc import Iterable, Mapping

import numpy as np

from marquee.arrays import Ints
from marquee.bus.api import TopicPartition
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.ids import NARROW_LIMIT
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import sums_by_movie
from marquee.domain.ratings import LATEST, Ratings, packed_head, packed_tail
from marquee.events import MOVIES, RuleEvent, decode_kept
from marquee.store.keys import Keys
from trainer.facts.canonical import PackedFacts, digest_of
from trainer.facts.fold import DISMISSED, LISTED, VIEWED, PairRows, PartitionFacts
from trainer.facts.replay import FactStore


def packed(facts: PartitionFacts, fact_set: FactSet) -> PackedFacts:
    """Return the facts of a partition that a service keeps, in packed form."""
    restored = PackedFacts(movies=_movies(facts.catalogue.movies))
    if fact_set.has_rules:
        _put_rules(restored, facts.catalogue.rules, fact_set)
    restored.erased = dict(facts.erased)
    marks = facts.marks if fact_set.has_marks else PairRows()
    restored.users = _users(facts.ratings, marks, facts.texts.users)
    if fact_set.has_marks:
        for user_id in facts.texts.users.keys() - restored.users.keys():
            restored.users[user_id] = Ratings(user=facts.texts.users[user_id]).pack()
    if fact_set.has_movie_texts:
        restored.movie_texts = _movie_texts(facts)
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
        event, unit_of_work = decode_kept(text.encode()), UnitOfWork(keys, store)
        fact = event.as_fact() if isinstance(event, RuleEvent) else event
        fact_set.handlers[type(event)](unit_of_work, fact)
        store.apply(unit_of_work.commands(0, 0))


def _users(ratings: PairRows, marks: PairRows, texts: Mapping[int, str]) -> dict[int, bytes]:
    """Return packed ratings by user (`marquee.domain.ratings`), as a consumer writes them."""
    kinds = (marks.take(marks.codes == kind) for kind in (VIEWED, DISMISSED, LISTED))
    parts = (ratings, *kinds)
    users = np.unique(np.concatenate([part.user_ids for part in parts]))
    by_user = [part.by_user() for part in parts]
    wide = _wide_users(parts, texts)
    halves = by_user[0].codes.tobytes()
    times = np.clip(by_user[0].times, 0, LATEST).astype("<u4")
    narrow_ids = [part.movie_ids.astype("<u4").tobytes() for part in by_user]
    packed_users = {}
    all_spans = zip(*(_spans(part.user_ids, users) for part in by_user), strict=True)
    for user_id, spans in zip(users.tolist(), all_spans, strict=True):
        counts = [end - start for start, end in spans]
        if user_id in wide:
            head = packed_head(counts[:3], texts.get(user_id, ""))
            ids = [
                part.movie_ids[a:b].astype("<i8").tobytes()
                for part, (a, b) in zip(by_user, spans, strict=True)
            ]
        else:
            head = packed_head(counts[:3], None)
            ids = [part[4 * a : 4 * b] for part, (a, b) in zip(narrow_ids, spans, strict=True)]
        start, end = spans[0]
        tail = packed_tail(times[start:end], ids[3])
        packed_users[user_id] = b"".join((head, ids[0], halves[start:end], *ids[1:3], tail))
    return packed_users


def _movie_texts(facts: PartitionFacts) -> dict[int, bytes]:
    """Return the texts of the movies that users have rated or marked."""
    texts = facts.texts.movies_in(facts.ratings.movie_ids, facts.marks.movie_ids)
    return {movie_id: text.encode() for movie_id, text in texts.items()}


def _wide_users(parts: Iterable[PairRows], texts: Mapping[int, str]) -> set[int]:
    """Return the users whose packed form has ids of 8 bytes (`marquee.domain.ratings`)."""
    wide = set(texts)
    for part in parts:
        needs = (part.movie_ids <= 0) | (part.movie_ids >= NARROW_LIMIT)
        wide.update(np.unique(part.user_ids[needs]).tolist())
    return wide


def _spans(sorted_ids: Ints, users: Ints) -> list[tuple[int, int]]:
    """Return the first and the next row of each user in sorted ids."""
    starts = np.searchsorted(sorted_ids, users, side="left").tolist()
    ends = np.searchsorted(sorted_ids, users, side="right").tolist()
    return list(zip(starts, ends, strict=True))


def _sums(ratings: PairRows) -> dict[int, bytes]:
    """Return the packed sums by movie."""
    sums = sums_by_movie(ratings.movie_ids, ratings.codes, ratings.times)
    return {movie_id: of_movie.pack() for movie_id, of_movie in sums.items()}
