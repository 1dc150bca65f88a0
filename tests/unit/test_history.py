"""The history keeps every event once, whatever is done to it, and folds them into a data set."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from marquee.errors import Conflict, DataError
from marquee.events import (
    MovieAdded,
    MovieBlocked,
    MovieDismissed,
    MovieRemoved,
    MovieUpdated,
    RatingAdded,
    RatingRemoved,
    UserErased,
)
from marquee.films import Film
from marquee.partition import partition_of
from marquee.snapshot import films_of, newest_snapshot, read_partition
from trainer.dataset import Dataset, make_dataset
from trainer.history import History
from trainer.segments import MovieRow, RatingRow, row_of

P = 2
FILMS = [
    Film(movie_id=i, title=f"Film {i}", year=2000 + i, genres=("Drama",), tags={"slow": 0.5})
    for i in range(1, 6)
]


def dataset(rows: Sequence[tuple[int, int, int, int]]) -> Dataset:
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return make_dataset(columns[0], columns[1], columns[2].astype(np.uint8), columns[3], FILMS)


def rated(data: Dataset) -> dict[tuple[int, int], int]:
    pairs = zip(data.user_ids.tolist(), data.movie_ids.tolist(), strict=True)
    return dict(zip(pairs, data.half_stars.tolist(), strict=True))


def added(offset: int, user_id: int, movie_id: int, half_stars: int = 8) -> RatingRow:
    return RatingRow(offset, "added", user_id, movie_id, half_stars, 1000 + offset)


def of_kind(kind: str, offset: int, user_id: int, movie_id: int = 0) -> RatingRow:
    return RatingRow(offset, kind, user_id, movie_id, 0, 1000 + offset)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", P)


def imported(history: History) -> Dataset:
    data = dataset([(1, 1, 10, 5), (1, 2, 3, 6), (2, 1, 8, 7), (3, 5, 1, 8)])
    history.import_dataset(data)
    return data


def partition_with(*user_ids: int) -> int:
    """Return the one partition of users, who must have been chosen to share it."""
    (partition,) = {partition_of(user_id, P) for user_id in user_ids}
    return partition


def test_an_import_comes_back_with_the_same_version_and_positions_of_zero(
    history: History,
) -> None:
    data = imported(history)
    again, cut = history.dataset()
    assert again.version == data.version
    assert rated(again) == rated(data)
    assert cut == {"movies:0": 0, "movies:1": 0, "ratings:0": 0, "ratings:1": 0}


def test_a_snapshot_holds_each_key_in_its_own_partition(history: History, tmp_path: Path) -> None:
    imported(history)
    snapshot = newest_snapshot(tmp_path / "history")
    assert snapshot is not None
    for p in range(P):
        ratings = read_partition(snapshot, "ratings", p)
        assert all(partition_of(user, P) == p for user in ratings["user_id"].to_pylist())
        films = list(films_of(read_partition(snapshot, "movies", p)))
        assert films == [film for film in FILMS if partition_of(film.movie_id, P) == p]
        assert len(read_partition(snapshot, "marks", p)) == 0
    with pytest.raises(DataError, match="no such file"):
        read_partition(snapshot, "ratings", P)


def test_there_is_no_snapshot_where_nothing_was_imported(tmp_path: Path) -> None:
    assert newest_snapshot(tmp_path / "absent") is None
    assert History(tmp_path / "absent", P).dataset()[0].films == ()


def test_an_import_into_a_history_that_holds_something_is_refused(history: History) -> None:
    data = imported(history)
    with pytest.raises(Conflict, match="not empty"):
        history.import_dataset(data)


def test_an_altered_snapshot_file_is_refused(history: History, tmp_path: Path) -> None:
    imported(history)
    path = tmp_path / "history" / "snapshot-000000" / "ratings-0.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"ratings-0\.parquet: the checksum differs"):
        history.dataset()


def test_a_snapshot_of_an_unknown_format_is_refused(history: History, tmp_path: Path) -> None:
    imported(history)
    path = tmp_path / "history" / "snapshot-000000" / "manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(DataError, match="format 99, expected 1"):
        history.dataset()


def test_another_number_of_partitions_is_refused(history: History, tmp_path: Path) -> None:
    imported(history)
    with pytest.raises(DataError, match="made for 2 partitions, not 4"):
        History(tmp_path / "history", 4).position("ratings", 0)


def test_the_position_is_where_the_newest_segment_ends(history: History, tmp_path: Path) -> None:
    history.append("ratings", 0, 0, 3, [added(0, 1, 1), added(2, 1, 2)])
    history.append("ratings", 0, 3, 4, [])
    assert history.position("ratings", 0) == 4
    assert history.position("ratings", 1) == 0
    assert History(tmp_path / "history", P).position("ratings", 0) == 4
    assert (tmp_path / "history/ratings-0" / f"{0:020d}-{3:020d}.parquet").exists()


@pytest.mark.parametrize(("first", "what"), [(2, "overlap"), (4, "gap")])
def test_an_append_that_does_not_go_on_where_the_last_ended_is_refused(
    history: History, first: int, what: str
) -> None:
    history.append("ratings", 0, 0, 3, [added(0, 1, 1)])
    with pytest.raises(Conflict, match=what):
        history.append("ratings", 0, first, first + 1, [added(first, 1, 2)])
    assert history.position("ratings", 0) == 3


@pytest.mark.parametrize("offsets", [[3], [1, 0], [0, 0], [-1]])
def test_rows_must_lie_inside_of_the_offsets_in_rising_order(
    history: History, offsets: list[int]
) -> None:
    with pytest.raises(ValueError, match="offsets"):
        history.append("ratings", 0, 0, 3, [added(offset, 1, 1) for offset in offsets])
    assert history.position("ratings", 0) == 0


def test_a_twin_s_longer_and_shorter_segments_count_once(history: History, tmp_path: Path) -> None:
    first = [added(0, 1, 1), added(1, 1, 2)]
    other = History(tmp_path / "other", P)
    history.append("ratings", 0, 0, 2, first)
    other.append("ratings", 0, 0, 3, [*first, of_kind("removed", 2, 1, 1)])
    other.append("ratings", 0, 3, 4, [added(3, 1, 3)])
    for path in (tmp_path / "other/ratings-0").iterdir():
        path.rename(tmp_path / "history/ratings-0" / path.name)
    history.append("ratings", 0, 4, 5, [added(4, 1, 4)])
    facts, cut = history.facts()
    assert facts.ratings.movie_ids.tolist() == [2, 3, 4]
    assert cut["ratings:0"] == 5


def test_a_missing_segment_is_an_error_and_not_a_silent_loss(
    history: History, tmp_path: Path
) -> None:
    for offset in range(3):
        history.append("ratings", 0, offset, offset + 1, [added(offset, 1, offset + 1)])
    (tmp_path / "history/ratings-0" / f"{1:020d}-{2:020d}.parquet").unlink()
    with pytest.raises(DataError, match="offsets from 1 on are missing"):
        history.dataset()


def test_a_damaged_segment_is_an_error(history: History, tmp_path: Path) -> None:
    history.append("ratings", 0, 0, 1, [added(0, 1, 1)])
    (path,) = (tmp_path / "history/ratings-0").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged"):
        history.dataset()


def test_what_a_dead_writer_left_behind_is_not_read_and_later_deleted(
    history: History, tmp_path: Path
) -> None:
    imported(history)
    history.append("ratings", 0, 0, 1, [])
    left = tmp_path / "history/ratings-0/.00000000000000000001-00000000000000000009.parquet.7.tmp"
    left.write_bytes(b"half a file")
    (tmp_path / "history/.snapshot-000007.7.tmp").mkdir()
    assert history.position("ratings", 0) == 1
    history.compact()
    assert left.exists()  # its writer may live
    os.utime(left, (0, 0))
    history.compact()
    assert not left.exists()


def test_many_small_segments_become_one_with_the_same_events(
    history: History, tmp_path: Path
) -> None:
    for offset in range(40):
        history.append("ratings", 0, offset, offset + 1, [added(offset, offset + 1, 1)])
    assert len(list((tmp_path / "history/ratings-0").iterdir())) < 32
    assert history.position("ratings", 0) == 40
    assert len(history.facts()[0].ratings) == 40


def test_the_last_event_of_a_pair_wins_whatever_its_time(history: History) -> None:
    imported(history)
    p = partition_with(1)
    history.append(
        "ratings", p, 0, 4,
        [added(0, 1, 1, 2), added(1, 1, 3, 9)._replace(time=0), of_kind("removed", 2, 1, 2),
         added(3, 1, 3, 7)._replace(time=0)],
    )  # fmt: skip
    data, cut = history.dataset()
    assert rated(data) == {(1, 1): 2, (1, 3): 7, (2, 1): 8, (3, 5): 1}
    assert cut[f"ratings:{p}"] == 4


def test_a_rating_that_is_removed_and_given_again_is_there(history: History) -> None:
    imported(history)
    p = partition_with(1)
    history.append("ratings", p, 0, 2, [of_kind("removed", 0, 1, 1), added(1, 1, 1, 4)])
    assert rated(history.dataset()[0])[1, 1] == 4


def test_an_erasure_takes_all_before_it_and_nothing_after(history: History) -> None:
    imported(history)
    p = partition_with(1)
    events = [added(0, 1, 4), of_kind("viewed", 1, 1, 4), of_kind("erased", 2, 1), added(3, 1, 5)]
    history.append("ratings", p, 0, 4, events)
    facts, _ = history.facts()
    assert rated(facts.dataset()) == {(1, 5): 8, (2, 1): 8, (3, 5): 1}
    assert len(facts.marks) == 0


def test_marks_follow_their_last_event(history: History) -> None:
    kinds = [("viewed", 1), ("dismissed", 2), ("dismissed", 3), ("restored", 2), ("viewed", 1)]
    rows = [of_kind(kind, offset, 1, movie) for offset, (kind, movie) in enumerate(kinds)]
    history.append("ratings", 0, 0, len(rows), rows)
    assert len(history.facts()[0].ratings) == 0
    history.compact()
    facts, _ = history.facts()
    assert sorted(facts.marks.movie_ids.tolist()) == [1, 3]


def test_ratings_of_a_removed_film_come_back_with_the_film(history: History) -> None:
    imported(history)
    p = partition_of(1, P)

    def append(offset: int, event: MovieAdded | MovieRemoved) -> None:
        row = row_of(offset, event)
        assert isinstance(row, MovieRow)
        history.append("movies", p, offset, offset + 1, [row])

    append(0, MovieRemoved(data={"movie_id": 1}))
    data, _ = history.dataset()
    assert {film.movie_id for film in data.films} == {2, 3, 4, 5}
    assert (1, 1) not in rated(data)
    history.compact()
    append(1, MovieAdded(data=FILMS[0]))
    assert rated(history.dataset()[0])[1, 1] == 10


def test_film_events_add_change_and_rule(history: History) -> None:
    imported(history)
    p = partition_of(9, P)
    events = [
        MovieAdded(data=Film(movie_id=9, title="New", genres=("War",))),
        MovieUpdated(data={"movie_id": 9, "title": "Newer", "tags": {"fast": 1.0}}),
        MovieUpdated(data={"movie_id": 99, "title": "Never added"}),
        MovieBlocked(data={"movie_id": 9, "reason": "rights"}),
    ]
    rows = [row_of(offset, event) for offset, event in enumerate(events)]
    history.append("movies", p, 0, 4, [row for row in rows if isinstance(row, MovieRow)])
    films = {film.movie_id: film for film in history.dataset()[0].films}
    assert films[9] == Film(movie_id=9, title="Newer", genres=("War",), tags={"fast": 1.0})
    assert 99 not in films
    history.compact()
    assert list(history.facts()[0].rules) == [(9, "block")]


def test_compacting_changes_no_fact_and_leaves_nothing_of_the_erased(
    history: History, tmp_path: Path
) -> None:
    imported(history)
    p = partition_with(1)
    history.append("ratings", p, 0, 3, [added(0, 1, 4), of_kind("erased", 1, 1), added(2, 3, 1)])
    before, cut = history.dataset()
    history.compact()
    after, cut_after = history.dataset()
    assert (after.version, cut_after) == (before.version, cut)
    assert [path.name for path in (tmp_path / "history").glob("snapshot-*")] == ["snapshot-000001"]
    assert list((tmp_path / f"history/ratings-{p}").iterdir()) == []
    assert history.position("ratings", p) == 3
    history.append("ratings", p, 3, 4, [added(3, 3, 2)])
    assert (3, 2) in rated(history.dataset()[0])


def test_rows_of_a_user_keep_the_order_of_their_last_change(history: History) -> None:
    imported(history)
    p = partition_with(1)
    history.append("ratings", p, 0, 2, [added(0, 1, 4)._replace(time=0), added(1, 1, 1)])
    history.compact()
    ratings = history.facts()[0].ratings
    assert ratings.movie_ids[ratings.user_ids == 1].tolist() == [2, 4, 1]


def test_events_become_rows() -> None:
    rating = RatingAdded(data={"user_id": 2**62, "movie_id": 7, "rating": 3.5})
    assert row_of(5, rating) == RatingRow(5, "added", 2**62, 7, 7, int(rating.time.timestamp()))
    pair = {"user_id": 1, "movie_id": 7}
    kinds = [
        row_of(0, event)[1]
        for event in (
            RatingRemoved(data=pair), MovieDismissed(data=pair), UserErased(data={"user_id": 1})
        )
    ]  # fmt: skip
    assert kinds == ["removed", "dismissed", "erased"]


def test_random_events_fold_as_one_by_one(history: History) -> None:
    random = np.random.default_rng(1)
    users = [user for user in range(1, 20) if partition_of(user, P) == 0]
    expected: dict[tuple[int, int], int] = {}
    offset = 0
    for batch in range(30):
        rows = []
        for _ in range(20):
            kind = str(random.choice(["added", "added", "added", "removed", "erased"]))
            user = int(random.choice(users))
            movie, half = (int(random.integers(1, high)) for high in (6, 11))
            rows.append(RatingRow(offset, kind, user, movie, half, int(random.integers(100))))
            offset += 1
            if kind == "added":
                expected[user, movie] = half
            elif kind == "removed":
                expected.pop((user, movie), None)
            else:
                expected = {pair: h for pair, h in expected.items() if pair[0] != user}
        history.append("ratings", 0, rows[0].offset, offset, rows)
        if batch % 10 == 9:
            history.compact()
        facts = history.facts()[0].ratings
        pairs = zip(facts.user_ids.tolist(), facts.movie_ids.tolist(), strict=True)
        assert dict(zip(pairs, facts.codes.tolist(), strict=True)) == expected
