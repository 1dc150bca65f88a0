"""Ids that are strings: the history has the facts of the consumers, and gives every id back."""

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.bus.api import Message, TopicPartition
from marquee.consumer.decoding import DecodedMessage
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.ids import GivenId, as_given, id_text, number_of
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.errors import DataError
from marquee.events import MOVIES, RATINGS, Event, decode
from marquee.events.partitioning import partition_of
from marquee.features.dataset import make_dataset
from marquee.snapshots.format import newest_snapshot, texts_of
from marquee.snapshots.id_texts import IdTexts
from marquee.snapshots.partition import chunks
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from trainer.facts.canonical import PackedFacts, digest_of
from trainer.facts.catalogue import FoldedCatalogue
from trainer.facts.fold import DISMISSED, LISTED, VIEWED, PairRows, PartitionFacts
from trainer.facts.replay import FactStore, Replay
from trainer.facts.restored import digest, packed
from trainer.history.history import History
from trainer.history.log_segments import row_of
from trainer.operations.history_search import files_about

P = 2
TWINS = ("ouad6ezqnto0", "c8t0raqj0w4a")
"""Two texts of one number."""
USERS = (1, 2, 2**62, "maria@example.org", "7b-2", "007", "42")
FILMS = (10, 11, 2**33, "tt0111161", "tt0068646", "10")
OF_USER = ("rating.added", "rating.removed", "movie.viewed", "movie.dismissed", "movie.restored")
OF_MOVIE = (
    "movie.added", "movie.updated", "movie.removed", "movie.promoted", "movie.unpromoted",
    "movie.blocked", "movie.unblocked",
)  # fmt: skip
Id = int | str
Log = Mapping[TopicPartition, list[DecodedMessage]]


def event(kind: str, data: Mapping[str, Any]) -> Event:
    """Return the event of a message: ids come from JSON."""
    time = "2026-05-01T12:00:00Z"
    return decode(orjson.dumps({"specversion": "1.0", "type": kind, "time": time, "data": data}))


def rated(user: Id, movie: Id, stars: float = 4.0) -> Event:
    return event("rating.added", {"user_id": user, "movie_id": movie, "rating": stars})


def of_user(kind: str, user: Id, movie: Id) -> Event:
    return event(kind, {"user_id": user, "movie_id": movie})


def erased(user: Id) -> Event:
    return event("user.erased", {"user_id": user})


def film(movie: Id, title: str = "A title") -> Event:
    return event("movie.added", {"movie_id": movie, "title": title})


def events_about(users: Sequence[Id], films: Sequence[Id]) -> st.SearchStrategy[Event]:
    """Draw events of every kind about these users and films."""
    halves, titles = st.integers(1, 10), st.sampled_from(("One", "Two"))
    user, movie = st.sampled_from(users), st.sampled_from(films)
    ratings = st.builds(lambda u, m, half: rated(u, m, half / 2), user, movie, halves)
    pairs = st.builds(of_user, st.sampled_from(OF_USER[1:]), user, movie)
    erasures = st.builds(erased, user)
    changes = st.builds(
        lambda kind, m, title: event(kind, {"movie_id": m, "title": title}),
        st.sampled_from(OF_MOVIE), movie, titles,
    )  # fmt: skip
    return st.one_of(ratings, ratings, pairs, pairs, erasures, changes)


def keep(history: History, *events: Event) -> Log:
    """Append events to the history; return what each partition of the log got."""
    log: dict[TopicPartition, list[DecodedMessage]] = {}
    for one in events:
        at = TopicPartition(one.topic, partition_of(one.key, history.partitions))
        messages = log.setdefault(at, [])
        offset = history.position(at.topic, at.partition) + len(messages)
        messages.append(DecodedMessage(Message(offset, one.key.encode(), one.encode()), one))
    for at, messages in log.items():
        rows: list[Any] = [row_of(m.message.offset, m.event) for m in messages if m.event]
        first = rows[0].offset
        history.append(at.topic, at.partition, first, first + len(rows), rows)
    return log


def replayed(
    partition: TopicPartition, fact_set: FactSet, logs: Sequence[Log], facts: PackedFacts
) -> PackedFacts:
    """Return facts after the messages of some parts of the log, as consumers make them."""
    messages = [message for log in logs for message in log.get(partition, ())]
    start = messages[0].message.offset if messages else 0
    Replay(partition, fact_set, facts, start).feed(messages, start + len(messages))
    return facts


def restored(history: History, partition: TopicPartition, fact_set: FactSet) -> PackedFacts:
    """Return the facts of the newest snapshot, as a consumer with an empty store takes them."""
    facts, keys = PackedFacts(), Keys("replay", "replay", 1).of(partition)
    store, snapshot = FactStore(keys, facts), StoredSnapshots(history.directory).read(partition)
    assert snapshot is not None
    restore = restore_sums if fact_set.has_sums else restore_facts
    for piece in chunks(snapshot, 3):
        unit_of_work = UnitOfWork(keys, store)
        restore(unit_of_work, piece)
        for movie_id, text in piece.movie_texts.items() if fact_set.has_movie_texts else ():
            unit_of_work.put_movie_text(movie_id, text)
        for rule in piece.rules if fact_set.has_rules else ():
            fact_set.handlers[type(rule)](unit_of_work, rule)
        store.apply(unit_of_work.commands(0, snapshot.position))
    return facts


def check_equal(stories: Sequence[Sequence[Event]], services: Sequence[str]) -> None:
    """Keep stories in a history that is compacted between them; compare the ways to the facts."""
    with tempfile.TemporaryDirectory() as directory:
        history, logs = History(Path(directory), P), list[Log]()
        for story in stories:
            if logs:
                history.compact()
            logs.append(keep(history, *story))
        for service, topic, p in itertools.product(services, (MOVIES, RATINGS), range(P)):
            fact_set, at = FACTS_BY_SERVICE[service][topic], TopicPartition(topic, p)
            consumed = replayed(at, fact_set, logs, PackedFacts())
            live = consumed.entries()
            folded = packed(history.partition(topic, p), fact_set)
            assert folded.entries() == live
            assert folded.movie_texts.keys() <= consumed.movie_texts.keys()
            if len(logs) > 1:
                facts = restored(history, at, fact_set)
                assert replayed(at, fact_set, logs[-1:], facts).entries() == live
                assert folded.movie_texts.keys() <= facts.movie_texts.keys()


@settings(max_examples=60)
@given(st.lists(st.lists(events_about(USERS, FILMS), max_size=25), min_size=1, max_size=3))
def test_live_replayed_restored_and_folded_facts_are_equal(stories: list[list[Event]]) -> None:
    check_equal(stories, ("gateway", "content"))


@settings(max_examples=60)
@given(
    st.lists(st.lists(events_about((*TWINS, 1), (*TWINS, 10)), max_size=12), min_size=1, max_size=3)
)
def test_of_two_texts_with_one_number_the_history_refuses_the_one_that_the_consumers_refuse(
    stories: list[list[Event]],
) -> None:
    check_equal(stories, ("gateway",))  # each service refuses by the facts that it keeps


def test_the_second_of_two_users_with_one_number_takes_no_effect_until_the_first_is_erased(
    tmp_path: Path,
) -> None:
    first, second = TWINS
    assert number_of(first) == number_of(second)
    history = History(tmp_path, P)
    keep(history, rated(first, 10), rated(second, 11), erased(second))
    facts = history.facts()[0]
    assert facts.texts.users == {number_of(first): first}
    assert facts.ratings.movie_ids.tolist() == [10]
    assert not any(facts.erased.values())
    keep(history, of_user("rating.removed", first, 10))
    history.compact()
    keep(history, rated(second, 12))
    assert len(history.facts()[0].ratings) == 0  # the first one is known, with no facts left
    keep(history, erased(first), rated(second, 13))
    facts = history.facts()[0]
    assert facts.texts.users == {number_of(first): second}
    assert facts.ratings.movie_ids.tolist() == [13]


def test_the_second_of_two_films_with_one_number_takes_no_effect_until_the_first_is_removed(
    tmp_path: Path,
) -> None:
    first, second = ({"movie_id": text, "title": text} for text in TWINS)
    refused = [event(kind, second) for kind in OF_MOVIE]
    before = [event("movie.added", first), *refused]
    after = [event("movie.removed", first), event("movie.added", second)]
    history = History(tmp_path, P)
    keep(history, *before)
    catalogue = history.facts()[0].catalogue
    assert {as_given(movie.movie_id): movie.title for movie in catalogue.movies.values()} == {
        TWINS[0]: TWINS[0]
    }
    assert not catalogue.rules
    history.compact()
    keep(history, *after)
    assert [as_given(m.movie_id) for m in history.facts()[0].movies.values()] == [TWINS[1]]
    check_equal([before, after], ("gateway", "content"))


def test_every_id_comes_back_as_it_was_given(tmp_path: Path) -> None:
    history = History(tmp_path, P)
    absent = "never-added"
    keep(history, film("tt0111161"), film("10"), film(2**33), film("gone"))
    keep(history, event("movie.removed", {"movie_id": "gone"}))
    keep(history, rated("maria@example.org", "tt0111161"), rated(2**62, 2**33))
    keep(history, of_user("movie.viewed", "7b-2", absent), rated("7b-2", "gone"))
    for _ in range(2):
        facts, _ = history.facts()
        assert sorted(map(str, facts.texts.users.values())) == ["7b-2", "maria@example.org"]
        assert set(facts.texts.movies.values()) == {"tt0111161", "10", "gone", absent}
        assert {as_given(m.movie_id) for m in facts.movies.values()} == {"tt0111161", "10", 2**33}
        assert {as_given(movie) for movie in facts.catalogue.removed} == {"gone"}
        dataset, _ = history.dataset()
        assert dataset.user_texts == facts.texts.users
        assert {as_given(m.movie_id) for m in dataset.movies} == {"tt0111161", "10", 2**33}
        history.compact()


def test_consumers_that_are_filled_from_a_snapshot_get_the_texts(tmp_path: Path) -> None:
    history = History(tmp_path, 1)
    user, movie = "maria@example.org", "tt0111161"
    keep(history, film(movie), rated(user, movie), of_user("movie.viewed", "7b-2", movie))
    history.compact()
    source = StoredSnapshots(history.directory)
    users, movies = (source.read(TopicPartition(topic, 0)) for topic in (RATINGS, MOVIES))
    assert users is not None
    assert users.users is not None
    assert {ratings.user for ratings in users.users.values()} == {user, "7b-2"}
    assert movies is not None
    assert [as_given(m.movie_id) for m in movies.movies] == [movie]


def test_an_import_keeps_the_texts_of_the_users_that_have_ratings(tmp_path: Path) -> None:
    texts = {number_of(text): text for text in ("a", "b", "without-ratings")}
    users = np.array([number_of("a"), number_of("b"), 3])
    films = np.array([number_of("x"), 5, 5])
    movies = [Movie(movie_id=GivenId("x"), title="X"), Movie(movie_id=5, title="Five")]
    halves, times = np.full(3, 8, np.uint8), np.arange(3)
    dataset = make_dataset(users, films, halves, times, movies, texts)
    history = History(tmp_path, P)
    history.import_dataset(dataset)
    again, _ = history.dataset()
    assert again.version == dataset.version
    assert again.user_texts == {number_of(text): text for text in ("a", "b")}
    assert {as_given(movie.movie_id) for movie in again.movies} == {"x", 5}


def test_after_a_compaction_nothing_is_left_of_the_text_of_an_erased_user(tmp_path: Path) -> None:
    user, other, secret = "maria@example.org", "7b-2", "seen-by-maria-alone"
    history = History(tmp_path, P)
    keep(history, rated(user, secret), rated(other, "tt0111161"))
    history.compact()
    keep(history, of_user("movie.viewed", user, "another-one"), erased(user))
    number, partition = number_of(user), partition_of(user, P)
    names = {Path(name).name for name in files_about(tmp_path, number, partition)}
    assert {f"ratings-{partition}.parquet", f"ids-{partition}.parquet"} < names
    history.compact()
    assert files_about(tmp_path, number, partition) == []
    found = str([pq.read_table(path).to_pydict() for path in tmp_path.rglob("*.parquet")])
    assert other in found
    assert not any(text in found for text in (user, secret, "another-one", str(number)))


def test_files_without_such_ids_are_what_they_were_and_go_together_with_others(
    tmp_path: Path,
) -> None:
    history = History(tmp_path, 1)
    names = ["offset", "kind", "user_id", "movie_id", "half_stars", "time"]
    for one in (rated(1, 10), rated("42", 11), rated(1, "tt0111161")):
        keep(history, one)
    columns = [pq.read_schema(path).names for path in sorted((tmp_path / "ratings-0").iterdir())]
    assert columns == [names, names, [*names, "user_text", "movie_text"]]
    facts = history.facts()[0]
    assert facts.ratings.user_ids.tolist() == [1, 1, 42]
    assert facts.texts.movies == {number_of("tt0111161"): "tt0111161"}
    snapshot = History(tmp_path / "whole", 1).compact()
    assert sorted(snapshot.manifest.files) == ["movies-0.parquet", "ratings-0.parquet"]
    assert not texts_of(snapshot, 0)


def test_a_film_whose_text_is_missing_is_an_error(tmp_path: Path) -> None:
    history = History(tmp_path, 1)
    keep(history, film("tt0111161"))
    history.compact()
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    manifest = orjson.loads((snapshot.path / "manifest.json").read_bytes())
    del manifest["files"]["ids-0.parquet"]
    (snapshot.path / "manifest.json").write_bytes(orjson.dumps(manifest))
    with pytest.raises(DataError, match=r"the text of the film -\d+ is missing"):
        history.facts()


def rows(*quadruples: tuple[int, int, int, int]) -> PairRows:
    users, movies, codes, times = np.array(quadruples, np.int64).reshape(-1, 4).T
    return PairRows(users, movies, codes.astype(np.uint8), times)


def test_whole_numbers_have_the_digests_that_they_always_had() -> None:
    ratings = rows((1, 10, 8, 1000), (1, 7, 3, 0), (5 * 10**9, 7, 10, 17 * 10**8))
    marks = rows((1, 9, VIEWED, 5), (2, 30, DISMISSED, 6), (2, 4, DISMISSED, 7))
    facts = PartitionFacts(9, ratings=ratings, marks=marks, erased={b"x" * 12: 4})
    assert digest(RATINGS, facts) == "1ff4b07e42b700765b39e17ef72dc340"
    seven = Movie(
        movie_id=7, title="Seven", year=1995, genres=("Crime",), tags={"b": 0.5, "a": 0.25}
    )
    catalogue = FoldedCatalogue({7: seven})
    expected = "d30636c707fa56dd6ddc4bfcb7f3f588"
    assert digest(MOVIES, PartitionFacts(9, catalogue=catalogue)) == expected


@given(
    st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(FILMS), st.integers(1, 10))),
    st.lists(
        st.tuples(
            st.sampled_from(USERS),
            st.sampled_from(FILMS),
            st.sampled_from((VIEWED, DISMISSED, LISTED)),
        )
    ),
)
def test_facts_are_packed_as_one_by_one(
    ratings: list[tuple[Id, Id, int]], marks: list[tuple[Id, Id, int]]
) -> None:
    expected: dict[int, Ratings] = {}

    def of(user: Id) -> Ratings:
        text = user if number_of(str(user)) < 0 else ""
        return expected.setdefault(number_of(str(user)), Ratings(user=str(text)))

    kept = {(number_of(str(u)), number_of(str(m))): (u, half) for u, m, half in ratings}
    marked = {(number_of(str(u)), number_of(str(m)), kind): u for u, m, kind in marks}
    for (_, movie), (user, half) in kept.items():
        of(user).rate(movie, half, 1000 + half)
    for (_, movie, kind), user in marked.items():
        of_user = of(user)
        mark = {VIEWED: of_user.view, DISMISSED: of_user.dismiss, LISTED: of_user.list_for_later}
        mark[kind](movie)
    facts = PartitionFacts(
        0,
        ratings=rows(*((u, m, half, 1000 + half) for (u, m), (_, half) in kept.items())),
        marks=rows(*((u, m, kind, 0) for u, m, kind in marked)),
        texts=IdTexts({number: one.user for number, one in expected.items() if one.user}),
    )
    made = packed(facts, FACTS_BY_SERVICE["gateway"][RATINGS]).users
    assert made == {number: one.pack() for number, one in expected.items()}


def test_names_of_facts_have_the_ids_as_they_were_given_where_they_are_known() -> None:
    user, movie = GivenId("maria@example.org"), GivenId("tt0111161")
    row = Movie(movie_id=movie, title="T").model_dump_json().encode()
    facts = PackedFacts(
        {movie: row, -7: row, 5: row},
        {movie: b'{"block": {}}'},
        {user: Ratings({movie: 8}, user=user.text).pack(), -9: Ratings({5: 8}).pack()},
    )
    assert facts.given_names() == {
        f"film:{int(movie)}": "film:tt0111161",
        f"rules:{int(movie)}": "rules:tt0111161",
        f"user:{int(user)}": "user:maria@example.org",
    }
    assert id_text(user) == user.text


def test_a_profile_of_an_unknown_version_has_a_digest_that_equals_no_other() -> None:
    good = PackedFacts(users={1: Ratings({5: 8}).pack()})
    damaged = PackedFacts(users={1: b"\x07" + Ratings({5: 8}).pack()[1:]})
    assert digest_of(good.entries()) != digest_of(damaged.entries())
