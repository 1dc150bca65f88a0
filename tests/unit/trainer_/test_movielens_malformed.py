"""A malformed row of a release is reported by file and line; too many of them stop the import."""

from pathlib import Path

import pytest

from marquee.domain.ids import RULE
from marquee.errors import DataError
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.import_report import ImportReport
from trainer.datasets.reader import read_dataset

HEADERS = {
    "ratings.csv": "userId,movieId,rating,timestamp",
    "movies.csv": "movieId,title,genres",
    "tags.csv": "userId,movieId,tag,timestamp",
}


def release(path: Path, **lines: list[str]) -> Path:
    """Write a release in CSV; good rows where no lines are given."""
    good = {"ratings": ["1,1,4.0,10"], "movies": ["1,Film (2000),Drama"], "tags": ["1,1,tag,10"]}
    for name, rows in (good | lines).items():
        file = f"{name}.csv"
        (path / file).write_text("\n".join([HEADERS[file], *rows]) + "\n", encoding="utf-8")
    return path


def examples(report: ImportReport) -> list[str]:
    return [str(example) for tally in report.files for example in tally.examples]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,1,4.0", "4 fields expected, 3 found"),
        ("1,1,4.0,10,11", "4 fields expected, 5 found"),
        (",1,4.0,10", "user id '' must be a whole number from 1 to 9223372036854775807, or a"),
        ("a b,1,4.0,10", "user id 'a b' must be a whole number from 1 to"),
        ("0,1,4.0,10", "user id '0' must be a whole number from 1"),
        ("-3,1,4.0,10", "user id '-3' must be a whole number from 1"),
        ("9223372036854775808,1,4.0,10", "user id '9223372036854775808' must be a whole number"),
        ("1,+1,4.0,10", "movie id '+1' must be a whole number from 1"),
        (f"1,{'x' * 65},4.0,10", f"movie id '{'x' * 65}' must be a whole number from 1"),
        ("1,1,,10", "rating '' is not a number"),
        ("1,1,nan,10", "rating 'nan' is not 0.5 to 5 in half stars"),
        ("1,1,inf,10", "rating 'inf' is not 0.5 to 5 in half stars"),
        ("1,1,0.0,10", "rating '0.0' is not 0.5 to 5 in half stars"),
        ("1,1,5.5,10", "rating '5.5' is not 0.5 to 5 in half stars"),
        ("1,1,3.7,10", "rating '3.7' is not 0.5 to 5 in half stars"),
        ("1,1,4.0,-1", "time '-1' is not in seconds"),
        ("1,1,4.0,964982703000", "time '964982703000' is not in seconds"),
        ("1,1,4.0,yesterday", "time 'yesterday' is not a number"),
    ],
)
def test_a_malformed_rating_is_reported_by_file_and_line(
    tmp_path: Path, row: str, reason: str
) -> None:
    lines = ["1,1,4.0,10", row, "2,1,3.5,20"]
    data, report = read_dataset(release(tmp_path, ratings=lines), ImportOptions(max_loss=0.5))
    assert data.user_ids.tolist() == [1, 2]
    assert data.half_stars.tolist() == [8, 7]
    (example,) = examples(report)
    assert example.startswith(f"ratings.csv, line 3: {reason}")


def test_a_row_too_long_and_one_too_short_do_not_cancel_out(tmp_path: Path) -> None:
    lines = ["1,1,4.0,10,7", "1,1,4.0", "2,1,3.5,20"]
    data, report = read_dataset(release(tmp_path, ratings=lines), ImportOptions(max_loss=1.0))
    assert data.user_ids.tolist() == [2]
    assert report.malformed == 2


def test_lines_are_right_far_into_a_large_file(tmp_path: Path) -> None:
    lines = [f"{i},1,4.0,1000000000" for i in range(1, 150_001)]
    for at in (10, 60_000, 149_999):
        lines[at] = "broken"
    data, report = read_dataset(release(tmp_path, ratings=lines))
    assert len(data) == 150_000 - 3
    assert [text.split(":")[0] for text in examples(report)] == [
        f"ratings.csv, line {at + 2}" for at in (10, 60_000, 149_999)
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", [True, False])
def test_line_endings_blank_lines_and_quotes_are_no_fault(
    tmp_path: Path, newline: str, ending: bool
) -> None:
    release(tmp_path)
    lines = [HEADERS["ratings.csv"], "1,1,4.0,10", "", '"2","1","4.0","10"', "3,1,4,10"]
    text = newline.join(lines) + newline * ending
    (tmp_path / "ratings.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    data, report = read_dataset(tmp_path)
    assert data.user_ids.tolist() == [1, 2, 3]
    assert (report.malformed, report.files[1].rows) == (0, 3)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2,Film (2000)", "3 fields expected, 2 found"),
        ("№2,Film (2000),Drama", f"movie id '№2' {RULE}"),
        ("1,Again (2000),Drama", "movie id 1 stands in an earlier line"),
        ("2, ,Drama", "the title is empty"),
    ],
)
def test_a_malformed_movie_is_reported(tmp_path: Path, row: str, reason: str) -> None:
    lines = ["1,Film (2000),Drama", row]
    data, report = read_dataset(release(tmp_path, movies=lines), ImportOptions(max_loss=0.5))
    assert [movie.title for movie in data.movies] == ["Film"]
    assert examples(report) == [f"movies.csv, line 3: {reason}"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,1, ,10", "the tag is empty"),
        (f"1,1,{'x' * 101},10", "the tag is longer than 100 characters"),
        ("1,x y,tag,10", f"movie id 'x y' {RULE}"),
    ],
)
def test_a_malformed_tag_is_reported(tmp_path: Path, row: str, reason: str) -> None:
    lines = ['1,1,"two\nlines",10', row]
    data, report = read_dataset(release(tmp_path, tags=lines), ImportOptions(max_loss=0.5))
    assert list(data.movies[0].tags) == ["two lines"]
    assert examples(report) == [f"tags.csv, line 4: {reason}"]


def test_more_than_the_share_of_malformed_rows_stops_the_import(tmp_path: Path) -> None:
    lines = [f"{i},1,4.0,10" for i in range(1, 501)]
    release(tmp_path, ratings=[*lines[:-5], *["broken"] * 5])
    assert len(read_dataset(tmp_path)[0]) == 495
    release(tmp_path, ratings=[*lines[:-6], "broken", "7", *["x"] * 4])
    expected = (
        r"6 of 500 rows of ratings\.csv are malformed, more than 1\.0% of them:"
        r" ratings\.csv, line 496: 4 fields expected, 1 found; ratings\.csv, line 497.*"
        r"Nothing is written: mend the file, or allow it by --max-loss 1\.2%"
    )
    with pytest.raises(DataError, match=expected):
        read_dataset(tmp_path)
    assert len(read_dataset(tmp_path, ImportOptions(max_loss=0.012))[0]) == 494


def test_a_few_malformed_rows_do_not_refuse_a_small_file_but_all_do(tmp_path: Path) -> None:
    lines = [f"{i},1,4.0,10" for i in range(1, 21)]
    release(tmp_path, ratings=[*lines, *["broken"] * 3])
    assert len(read_dataset(tmp_path)[0]) == 20
    release(tmp_path, ratings=[*lines, *["broken"] * 4])
    with pytest.raises(DataError, match=r"4 of 24 rows .* more than 1\.0%"):
        read_dataset(tmp_path)
    release(tmp_path, ratings=["broken"] * 2)
    with pytest.raises(DataError, match="2 of 2 rows"):
        read_dataset(tmp_path)


def test_only_the_first_malformed_rows_are_kept(tmp_path: Path) -> None:
    release(tmp_path, ratings=["broken"] * 50)
    _, report = read_dataset(tmp_path, ImportOptions(max_loss=1.0))
    assert (report.malformed, len(examples(report))) == (50, 20)


@pytest.mark.parametrize("file", ["ratings.csv", "movies.csv", "tags.csv"])
def test_a_file_without_its_header_is_refused(tmp_path: Path, file: str) -> None:
    release(tmp_path)
    text = (tmp_path / file).read_text().split("\n", 1)[1]
    (tmp_path / file).write_text(text)
    match = f"{file}: the first line is '1,.*wanted is a header with the columns .*--columns"
    with pytest.raises(DataError, match=match):
        read_dataset(tmp_path)


def test_films_without_ratings_are_a_data_set_but_not_ratings_without_films(tmp_path: Path) -> None:
    data, report = read_dataset(release(tmp_path, ratings=[], tags=[]))
    assert (len(data), len(data.movies), report.malformed) == (0, 1, 0)
    (tmp_path / "ratings.csv").unlink()
    assert len(read_dataset(tmp_path)[0].movies) == 1
    with pytest.raises(DataError, match=r"movies\.csv: no film; nothing is written"):
        read_dataset(release(tmp_path, movies=[]))


def test_a_comma_in_a_dat_file_is_no_separator(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::1::4::10\n1,2::1::4::10\n1,1,4,10\n")
    (tmp_path / "movies.dat").write_text("1::Film (2000)::Drama\n")
    data, report = read_dataset(tmp_path, ImportOptions(max_loss=1.0))
    assert (len(data), report.malformed) == (1, 2)
