"""Exports as they are read: what counts, what is left out, and what is never opened."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from marquee.errors import DataError
from marquee_testing.exports import (
    IMDB_LIST,
    IMDB_NEW,
    LETTERBOXD,
    MOVIELENS,
    imdb_text,
    letterboxd_files,
    listed,
    release_films,
    trakt_files,
    write_zip,
)
from trainer.own_ratings import tables
from trainer.own_ratings.reader import read_export
from trainer.own_ratings.records import Export

FILMS = listed(release_films()[:12])
PRIVATE = {
    "watchlist.csv",
    "reviews.csv",
    "comments.csv",
    "profile.csv",
    "likes/films.csv",
    "likes/reviews.csv",
    "lists/best.csv",
    "deleted/diary.csv",
    "orphaned/diary.csv",
}


def read(path: Path, text: str) -> Export:
    path.write_text(text, encoding="utf-8", newline="")
    return read_export(path)


def newest(export: Export) -> dict[str, tuple[int | None, str | None]]:
    """Return half stars and date of each title."""
    return {
        record.film.title: (record.half_stars, f"{record.time:%Y-%m-%d}" if record.time else None)
        for record in export.records()
    }


def refusing(opened: list[str], original: Any) -> Any:
    """Return a way to open files that fails for those that are private."""

    def open_(self: Any, *arguments: Any, **options: Any) -> Any:
        name = str(arguments[0] if isinstance(self, zipfile.ZipFile) else self)
        assert not any(name.endswith(private) for private in PRIVATE), f"{name} was opened"
        opened.append(name)
        return original(self, *arguments, **options)

    return open_


def test_what_is_private_in_a_zip_of_letterboxd_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(tmp_path / "export.zip", letterboxd_files(FILMS))
    opened: list[str] = []
    monkeypatch.setattr(zipfile.ZipFile, "open", refusing(opened, zipfile.ZipFile.open))
    export = read_export(path)
    assert sorted(opened) == ["diary.csv", "ratings.csv", "watched.csv"]
    assert set(export.not_opened) == PRIVATE
    assert len(export.records()) == len(FILMS)


def test_what_is_private_in_a_folder_of_letterboxd_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in letterboxd_files(FILMS).items():
        path = tmp_path / "export" / "letterboxd-somebody" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    opened: list[str] = []
    monkeypatch.setattr(Path, "open", refusing(opened, Path.open))
    export = read_export(tmp_path / "export")
    assert len(opened) == 3
    assert {name.partition("/")[2] for name in export.not_opened} == PRIVATE


@pytest.mark.parametrize("name", ["watchlist.csv", "watchlist-somebody-2025.csv", "reviews.csv"])
def test_a_file_that_is_no_evidence_is_refused_unopened(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(f"{LETTERBOXD}\n2024-01-01,Heat,1995,u\n")
    monkeypatch.setattr(tables.ExportFile, "read", lambda _: pytest.fail("opened"))
    with pytest.raises(DataError, match=r"is not opened: it tells no film seen; name ratings\.csv"):
        read_export(tmp_path / name)


def test_the_newest_rating_wins_and_what_was_only_seen_is_a_viewing(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "e.zip",
        {
            "ratings.csv": f"{LETTERBOXD},Rating\r\n2024-05-02,Heat,1995,f1,4.5\r\n"
            "2024-05-02,Ran,1985,f2,3\r\n",
            "watched.csv": f"{LETTERBOXD}\r\n2023-01-01,Heat,1995,f1\r\n"
            "2023-01-01,Ikiru,1952,f3\r\n",
            "diary.csv": f"{LETTERBOXD},Rating,Rewatch,Tags,Watched Date\r\n"
            "2024-05-01,Heat,1995,d1,2,Yes,,2010-03-04\r\n"
            "2024-06-01,Ran,1985,d2,3.5,,,2024-05-30\r\n"
            "2024-06-01,Ikiru,1952,d3,,,,1999-12-31\r\n",
        },
    )
    assert newest(read_export(path)) == {
        "Heat": (9, "2024-05-02"),
        "Ran": (7, "2024-06-01"),
        "Ikiru": (None, "2023-01-01"),
    }


def test_two_films_of_one_name_and_year_are_doubled(tmp_path: Path) -> None:
    text = f"{LETTERBOXD},Rating\n2024-05-02,Eros,2004,f1,4\n2024-05-02,Eros,2004,f2,2\n"
    [record] = read(tmp_path / "ratings.csv", text).records()
    assert record.film.is_doubled
    again = f"{LETTERBOXD},Rating\n2024-05-02,Eros,2004,f1,4\n2024-05-02,Eros,2004,f1,2\n"
    [record] = read(tmp_path / "ratings.csv", again).records()
    assert (record.film.is_doubled, record.half_stars) == (False, 4)


def test_quotes_a_mark_and_an_empty_year_are_read(tmp_path: Path) -> None:
    text = f'\ufeff{LETTERBOXD},Rating\r\n2024-05-02,"I, ""Tonya""",,f1,4\r\n'
    [record] = read(tmp_path / "ratings.csv", text).records()
    assert (record.film.title, record.film.year, record.half_stars) == ('I, "Tonya"', None, 8)
    assert record.time == datetime(2024, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("2024-05-02,Heat,1995,f,4.2", "Rating: '4.2' is not 0.5 to 5 stars in half stars"),
        ("2024-05-02,Heat,1995,f,nan", "Rating: 'nan' is not"),
        ("2024-05-02,Heat,95,f,4", "Year: '95' is not a year from 1850 to 2200"),
        ("5/2/24,Heat,1995,f,4", "Date: '5/2/24' is not a date such as 2024-03-05"),
        ("2024-05-02,,1995,f,4", "Name: '' is not a title"),
        ("2024-05-02,Heat,1995,f", "5 fields expected, 4 found"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_count(
    row: str, fault: str, tmp_path: Path
) -> None:
    export = read(
        tmp_path / "ratings.csv", f"{LETTERBOXD},Rating\n{row}\n2024-05-02,Ran,1985,f2,3\n"
    )
    assert (export.unreadable, list(newest(export))) == (1, ["Ran"])
    assert export.faults[0].startswith(f"ratings.csv, line 2: {fault}")


@pytest.mark.parametrize("header", [IMDB_NEW, IMDB_NEW.replace(",Original Title", "")])
def test_films_of_imdb_are_read_by_name_and_series_are_named(header: str, tmp_path: Path) -> None:
    export = read(tmp_path / "some-name.csv", imdb_text(FILMS, header))
    assert (export.kind, len(export.records())) == ("imdb", len(FILMS))
    assert sum(export.left_out.values()) == 1
    assert [record.half_stars for record in export.records()] == [i.half_stars for i in FILMS]
    assert export.records()[0].film.imdb == f"tt{FILMS[0].film.imdb}"


def test_a_list_of_imdb_counts_where_the_person_rated(tmp_path: Path) -> None:
    rows = [
        "1,tt0113277,2024-01-01,2024-01-01,,Heat,Heat,u,Movie,8,170,1995,Crime,1,1995,M,9,2024-01-02",
        "2,tt0089881,2024-01-01,2024-01-01,,Ran,Ran,u,Movie,8,170,1985,Drama,1,1985,K,,",
    ]
    export = read(
        tmp_path / "my list.csv",
        "\n".join([IMDB_LIST, *rows]),
    )
    assert newest(export) == {"Heat": (9, "2024-01-02")}
    assert export.left_out == {"films without a rating": 1}


@pytest.mark.parametrize("folder", ["", "somebody/"])
def test_trakt_is_read_in_both_layouts_page_by_page(folder: str, tmp_path: Path) -> None:
    export = read_export(write_zip(tmp_path / "t.zip", trakt_files(FILMS, folder)))
    assert (export.kind, len(export.records())) == ("trakt", len(FILMS))
    assert sum(record.half_stars is None for record in export.records()) == len(FILMS) / 4
    assert export.left_out == {"episodes": 1}
    assert any(name.endswith("user-profile.json") for name in export.not_opened)
    for name, text in trakt_files(FILMS, folder).items():
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert read_export(tmp_path / "unpacked").records() == export.records()


def test_an_item_of_trakt_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    movie = {"title": "Heat", "year": 1995, "ids": {"trakt": 1, "imdb": "tt0113277", "tmdb": 949}}
    items = [
        {"rating": 11, "rated_at": "2024-01-01T00:00:00Z", "movie": movie},
        {"rating": 9, "rated_at": "2024-01-01T00:00:00Z", "movie": None},
        {"rating": 8, "rated_at": None, "movie": movie},
    ]
    export = read(tmp_path / "ratings-movies-1.json", json.dumps(items))
    assert newest(export) == {"Heat": (8, None)}
    assert "item 1: rating: 11 is not" in export.faults[0].replace("'", "")
    assert "item 2: movie: " in export.faults[1]


def test_movielens_has_ids_and_no_times(tmp_path: Path) -> None:
    rows = ['6,0113277,949,4.5,3.9,"Heat (1995)"', "7,0114319,11860,-1.0,3.3,Sabrina (1995)"]
    export = read(tmp_path / "movielens-ratings.csv", "\n".join([MOVIELENS, *rows]))
    [record] = export.records()
    assert (record.film.movielens, record.film.imdb, record.film.tmdb) == (6, "tt0113277", 949)
    assert (record.film.title, record.film.year, record.time) == ("Heat", 1995, None)
    assert export.left_out == {"films without a rating": 1}


def test_a_plain_table_has_either_scale_and_ids(tmp_path: Path) -> None:
    rows = ["Heat,1995,tt0113277,949,,9,2024-01-02", "Ran,1985,,,3.5,,", "Ikiru,1952,,,,,"]
    header = "Title,Year,imdbID,tmdbID,Rating,Rating10,WatchedDate"
    export = read(tmp_path / "mine.csv", "\n".join([header, *rows]))
    assert newest(export) == {"Heat": (9, "2024-01-02"), "Ran": (7, None), "Ikiru": (None, None)}
    assert export.records()[0].film.imdb == "tt0113277"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("ratings.csv", "userId,movieId,rating\n1,2,3\n", "marquee data import reads them"),
        ("ratings.csv", "a,b\n1,2\n", "columns a, b are of no site; known are exports of"),
        ("ratings.csv", "", "the file is empty"),
        ("ratings.csv", f"{LETTERBOXD},Rating\n", "it has no rating and no viewing of a film"),
        ("ratings.csv", f'{LETTERBOXD},Rating\n2024-05-02,"Heat,1995,f,4\n', "is not closed"),
        ("ratings.csv", f"{LETTERBOXD},Rating\n2024-05-02,Heat,1995,f,9\n", "Rating: '9' is not"),
        (
            "films.csv",
            f"{LETTERBOXD}\n2024-05-02,Heat,1995,f\n",
            "tells not whether they were seen",
        ),
        ("a.csv", f"{LETTERBOXD},Review,Watched Date\n", "reviews are not read"),
        ("a.csv", "Title,Year\nHeat,1995\n", "no column Rating, Rating10 or WatchedDate tells"),
        ("ratings-movies.json", "{}", "must be a JSON array of objects"),
        ("ratings-movies.json", "[", "no JSON"),
        ("notes.txt", "hello", "found notes.txt; known are exports of"),
        ("export.zip", "no zip", "not a readable zip"),
    ],
)
def test_what_is_no_export_is_one_line_with_the_remedy(
    name: str, text: str, line: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=line) as caught:
        read(tmp_path / name, text)
    assert "\n" not in str(caught.value)


def test_a_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST_BYTES", 1 << 20)
    path = write_zip(tmp_path / "bomb.zip", {"ratings.csv": "0" * (1 << 21)})
    with pytest.raises(DataError, match="more than 1 MiB: no export of one person"):
        read_export(path)


def test_nothing_at_a_path_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder or file"):
        read_export(tmp_path / "absent.zip")
    with pytest.raises(DataError, match="found nothing"):
        read_export(tmp_path)
