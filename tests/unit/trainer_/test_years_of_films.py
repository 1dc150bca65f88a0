"""Years of films: alone or in a date of any order; what is none is told, not lost."""

from pathlib import Path

import pytest

from trainer.datasets.reader import read_dataset


def films(folder: Path, years: list[str]) -> tuple[list[int | None], object]:
    rows = "".join(f"{i},Film {i},{year}\n" for i, year in enumerate(years, 1))
    (folder / "movies.csv").write_text(f"movieId,title,year\n{rows}")
    data, report = read_dataset(folder)
    return [movie.year for movie in data.movies], report.refused.get("year")


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("1999", 1999),
        ("1999.0", 1999),
        ("1999-12-31", 1999),
        ("31.12.1999", 1999),
        ("12/31/1999", 1999),
        ("Dec 1999", 1999),
        ("c. 1999", 1999),
        ("19991231", 1999),
        ("1999-12-31T00:00:00Z", 1999),
    ],
)
def test_a_year_is_found_in_whatever_form(tmp_path: Path, text: str, year: int) -> None:
    assert films(tmp_path, [text, "2001"]) == ([year, 2001], None)


@pytest.mark.parametrize("text", ["99", "3000", "19990", "1999/2000", "soon"])
def test_what_is_no_year_is_told(tmp_path: Path, text: str) -> None:
    assert films(tmp_path, [text, "2001"]) == ([None, 2001], (1, text))


@pytest.mark.parametrize("text", ["", "NULL", "nan", "0"])
def test_an_absent_year_is_not(tmp_path: Path, text: str) -> None:
    assert films(tmp_path, [text, "2001"]) == ([None, 2001], None)


def test_times_with_a_point_are_read_beside_a_malformed_row(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title\n1,One\n2,Two\n")
    rows = "".join(f"{user},1,4,17000000{user:02}.0\n" for user in range(10, 60))
    (tmp_path / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}a b,1,x,1.0\n")
    data, report = read_dataset(tmp_path)
    assert sorted(data.times.tolist()) == [1_700_000_000 + user for user in range(10, 60)]
    assert [table.tally.malformed for table in report.read if table.tally.malformed] == [1]
