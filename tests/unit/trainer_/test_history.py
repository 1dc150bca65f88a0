"""The history keeps every event once, whatever dies when, and refuses what would lose one."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.errors import Conflict, DataError
from marquee.events.partitioning import partition_of
from marquee.features.dataset import make_dataset
from marquee.snapshots.format import (
    movies_from_table,
    newest_snapshot,
    read_movies,
    read_partition,
)
from marquee_testing.trainings.small_history import MOVIES, added, imported, of_kind, rated
from trainer.history.history import History

P = 2


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", P)


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
        movies = list(movies_from_table(read_partition(snapshot, "movies", p)))
        assert movies == [movie for movie in MOVIES if partition_of(movie.movie_id, P) == p]
        assert len(read_partition(snapshot, "marks", p)) == 0
    with pytest.raises(DataError, match="no such file"):
        read_partition(snapshot, "ratings", P)


def test_a_snapshot_keeps_genres_of_any_script_and_optional_fields(tmp_path: Path) -> None:
    movies = [
        Movie(movie_id=1, title="Сталкер", genres=("Драма", "Фантастика"), runtime=163,
              links={"tmdb": 1398}, people=("Андрей Тарковский",)),
        Movie(movie_id=2, title="Ёлки", genres=("Комедия",)),
    ]  # fmt: skip
    none = np.zeros(0, np.int64)
    data = make_dataset(none, none, none.astype(np.uint8), none, movies)
    History(tmp_path / "history", P).import_dataset(data)
    snapshot = newest_snapshot(tmp_path / "history")
    assert snapshot is not None
    read = [movie for p in range(P) for movie in read_movies(snapshot, p)]
    assert sorted(read, key=lambda movie: movie.movie_id) == movies
    of_one = f"fields-{partition_of(1, P)}.parquet"
    assert [name for name in snapshot.manifest.files if name.startswith("fields")] == [of_one]
    assert History(tmp_path / "history", P).dataset()[0].movies == tuple(movies)


def test_there_is_no_snapshot_where_nothing_was_imported(tmp_path: Path) -> None:
    assert newest_snapshot(tmp_path / "absent") is None
    assert History(tmp_path / "absent", P).dataset()[0].movies == ()


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


def test_a_reader_sees_whole_prefixes_while_another_appends_merges_and_compacts(
    history: History, tmp_path: Path
) -> None:
    total = 150

    def append() -> None:
        for offset in range(total):
            history.append("ratings", 0, offset, offset + 1, [added(offset, 2, offset + 1)])
            if offset % 40 == 39:
                history.compact()

    reader = History(tmp_path / "history", P)
    seen = 0
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(append)
        while seen < total:
            assert not writer.done() or writer.exception() is None
            facts, cut = reader.facts()
            assert seen <= cut["ratings:0"]
            seen = cut["ratings:0"]
            assert sorted(facts.ratings.movie_ids.tolist()) == list(range(1, seen + 1))
