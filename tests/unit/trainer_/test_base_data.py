"""A data set in place of the facts of a history, or beside them, loses nothing unsaid."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.domain.ids import GivenId, id_text
from marquee.domain.movies import Movie
from marquee.errors import Conflict, IdCollision
from marquee.events.partitioning import partition_of
from marquee.features.dataset import Dataset, make_dataset
from marquee.snapshots.format import newest_snapshot
from trainer.facts.fold import Facts
from trainer.history.base_data import appended
from trainer.history.history import History
from trainer.history.log_segments import MovieRow, RatingRow
from trainer.history.snapshots import base_catalogue

P = 2
Row = tuple[int, int, int, int]


def film(movie_id: int, title: str = "Film", tags: dict[str, float] | None = None) -> Movie:
    return Movie(movie_id=movie_id, title=title, tags=tags or {})


def dataset(rows: Sequence[Row], movies: Sequence[Movie]) -> Dataset:
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return make_dataset(columns[0], columns[1], columns[2].astype(np.uint8), columns[3], movies)


def rows_of(history: History) -> list[Row]:
    data, _ = history.dataset()
    columns = (data.user_ids, data.movie_ids, data.half_stars, data.times)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


FIRST = dataset(
    [(1, 1, 10, 5), (1, 2, 3, 6), (2, 1, 8, 7)], [film(1, "One", {"slow": 0.5}), film(2)]
)


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path / "history", P)
    made.import_dataset(FIRST)
    return made


def collect(history: History, kind: str, user: int, movie: int, half_stars: int = 0) -> None:
    """Append an event of a user to the partition of that user."""
    partition = partition_of(user, P)
    at = history.position("ratings", partition)
    row = RatingRow(at, kind, user, movie, half_stars, 1000 + at)
    history.append("ratings", partition, at, at + 1, [row])


def remove_film(history: History, movie_id: int) -> None:
    text = (
        '{"specversion":"1.0","id":"x","source":"test","type":"movie.removed",'
        f'"subject":"{movie_id}","time":"2024-01-01T00:00:00Z","data":{{"movie_id":{movie_id}}}}}'
    )
    partition = partition_of(movie_id, P)
    history.append("movies", partition, 0, 1, [MovieRow(0, text)])


def test_a_data_set_takes_the_place_of_another(history: History) -> None:
    second = dataset([(7, 3, 4, 9)], [film(3)])
    snapshot, left_out = history.replace_dataset(second)
    assert (snapshot.manifest.number, left_out) == (1, 0)
    assert history.dataset()[0].version == second.version
    assert newest_snapshot(history.directory) == snapshot
    assert len(list(history.directory.glob("snapshot-*"))) == 1
    # Models that know the films of before must be told that they are gone.
    assert base_catalogue(snapshot, range(P)).removed == {1, 2}


def test_events_are_lost_only_if_that_is_said(history: History) -> None:
    collect(history, "added", 1, 2, 9)
    collect(history, "viewed", 2, 2)
    second = dataset([(7, 3, 4, 9)], [film(3)])
    for _ in range(2):
        with pytest.raises(Conflict, match=r"^2 events .*--append.*marquee data export.*--lose-ev"):
            history.replace_dataset(second)
        assert (1, 2, 9, 1000) in rows_of(history)
        history.compact()  # which makes them no less lost
    before = history.cut()
    history.replace_dataset(second, loses_events=True)
    assert rows_of(history) == [(7, 3, 4, 9)]
    assert len(history.facts()[0].marks) == 0
    assert history.cut() == before
    collect(history, "added", 7, 3, 10)  # what comes later counts as ever
    assert [row[2] for row in rows_of(history)] == [10]


def test_appended_ratings_count_where_they_are_newer(history: History) -> None:
    collect(history, "added", 2, 2, 6)
    collect(history, "viewed", 3, 1)
    rows = [(1, 1, 4, 6), (1, 2, 9, 5), (2, 2, 7, 2000), (5, 2, 8, 1), (2, 1, 2, 7)]
    snapshot, left_out = history.append_dataset(dataset(rows, [film(2), film(1, "One more")]))
    assert left_out == 0
    assert rows_of(history) == [
        (1, 1, 4, 6),  # newer
        (1, 2, 3, 6),  # older than what is there
        (2, 1, 2, 7),  # of the same time: the appended one
        (2, 2, 7, 2000),
        (5, 2, 8, 1),
    ]
    assert history.facts()[0].marks.user_ids.tolist() == [3]
    movies = history.movies()
    assert (movies[1].title, movies[1].tags) == ("One more", {"slow": 0.5})
    assert snapshot.manifest.ratings == 5


def test_appending_twice_changes_nothing(history: History) -> None:
    more = dataset([(1, 1, 4, 6), (9, 3, 5, 1)], [film(1, "One"), film(3)])
    history.append_dataset(more)
    version = history.dataset()[0].version
    history.append_dataset(more)
    assert history.dataset()[0].version == version


def test_into_an_empty_history_both_are_an_import(tmp_path: Path) -> None:
    for name in ("replace_dataset", "append_dataset"):
        made = History(tmp_path / name, P)
        getattr(made, name)(FIRST)
        assert made.dataset()[0].version == FIRST.version
        assert set(made.cut().values()) == {0}


def test_ratings_of_erased_users_stay_out(history: History) -> None:
    collect(history, "erased", 1, 0)
    collect(history, "added", 1, 2, 7)  # who came back
    _, left_out = history.append_dataset(FIRST)
    assert left_out == 2
    assert [row[:3] for row in rows_of(history)] == [(1, 2, 7), (2, 1, 8)]
    history.compact()
    _, left_out = history.replace_dataset(FIRST, loses_events=True)
    assert (left_out, [row[0] for row in rows_of(history)]) == (2, [2])
    assert sum(map(len, history.facts()[0].erased.values())) == 1


def test_a_film_that_was_removed_comes_back_with_its_ratings(history: History) -> None:
    remove_film(history, 1)
    assert {row[1] for row in rows_of(history)} == {2}
    snapshot, _ = history.append_dataset(dataset([], [film(1, "Again")]))
    assert base_catalogue(snapshot, range(P)).removed == set()
    assert (1, 1, 10, 5) in rows_of(history)


def test_strings_are_appended_with_their_texts(history: History) -> None:
    user, film_id = GivenId("user:1"), GivenId("tt0111161")
    rows = [(int(user), int(film_id), 7, 1), (1, int(film_id), 9, 1)]
    columns = np.array(rows, np.int64).T
    more = make_dataset(
        columns[0], columns[1], columns[2].astype(np.uint8), columns[3],
        [film(film_id)], {int(user): "user:1"},
    )  # fmt: skip
    history.append_dataset(more)
    data, _ = history.dataset()
    assert data.user_texts == {int(user): "user:1"}
    assert {id_text(movie.movie_id) for movie in data.movies} == {"1", "2", "tt0111161"}
    other = replace(more, user_texts={int(user): "user:2"})
    with pytest.raises(IdCollision, match="'user:2' has the same number inside as 'user:1'"):
        appended(history.facts()[0], other)
    history.replace_dataset(more)
    assert history.dataset()[0].version == more.version


FULL = {
    "year": 1979,
    "genres": ("Drama",),
    "tags": {"slow": 0.5},
    "runtime": 161,
    "language": "ru",
    "certificate": "12+",
    "overview": "A zone.",
    "links": {"tmdb": 1398},
    "people": ("A",),
    "keywords": ("zone",),
}
TABLE_FIELDS = sorted(set(FULL) - {"tags"})


@given(columns=st.sets(st.sampled_from(TABLE_FIELDS)), empty=st.booleans())
def test_a_field_stays_where_the_appended_tables_tell_nothing_of_it(
    columns: set[str], empty: bool
) -> None:
    def movie(movie_id: int, title: str, fields: Collection[str]) -> Movie:
        return Movie(movie_id=movie_id, title=title, **{name: FULL[name] for name in fields})

    rated = movie(3, "Three", FULL)  # of the known ones, with its rating
    known = Facts.of(dataset([(1, 1, 10, 5)], [movie(1, "One", FULL), rated]))
    films = [movie(1, "New", () if empty else columns), movie(2, "Two", columns), rated]
    found = appended(known, dataset([(1, 3, 10, 5)], films)).movies
    gone = columns if empty else set()
    assert found[1] == movie(1, "New", set(FULL) - gone)
    assert found[3] == rated
