"""Times of ratings in forms that are no seconds since 1970."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.datasets.reader import read_dataset
from trainer.datasets.text.numbers import time_column


def times(folder: Path, *texts: str) -> tuple[list[int], list[str]]:
    rows = "".join(f"{user},1,{4 + user % 2},{text}\n" for user, text in enumerate(texts, 1))
    (folder / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
    (folder / "movies.csv").write_text("movieId,title\n1,One\n")
    data, report = read_dataset(folder)
    return data.times[data.user_ids.argsort()].tolist(), report.warnings(data)


@given(day=st.dates(date(1970, 1, 2), date(2199, 12, 31)))
def test_dates_without_marks_are_dates(day: date) -> None:
    text = day.strftime("%Y%m%d")
    column = time_column(text)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert (column.reason(text), column.number(text)) == (None, midnight.timestamp())


def test_a_column_of_dates_without_marks(tmp_path: Path) -> None:
    assert times(tmp_path, "20010909", "20050402", "20051231") == (
        [999_993_600, 1_112_400_000, 1_135_987_200],
        [],
    )


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (("2001", "2005"), "1970-01-01"),
        (("200109", "200504"), "1970-01-03"),
        (("20019999", "20010101"), "1970-08-20"),  # no dates, for the first is none
        (("1000000", "1000000000"), "1970-01-12"),
    ],
)
def test_times_of_before_anybody_rated_are_a_warning(
    tmp_path: Path, texts: tuple[str, ...], first: str
) -> None:
    _, (warning,) = times(tmp_path, *texts)
    early = sum(int(text) < 788_918_400 for text in texts)
    assert warning.startswith(
        f"{early} rating{' is' if early == 1 else 's are'} of before 1995, from {first}: times are"
    )
    assert warning.endswith("name another one by --columns time=COLUMN (- for none)")


def test_ratings_without_a_time_are_no_warning(tmp_path: Path) -> None:
    assert times(tmp_path, "0", "0")[1] == []
