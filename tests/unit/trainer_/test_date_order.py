"""Dates whose day and month only a whole column, or the user, tells apart."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.errors import DataError
from trainer.datasets.columns.date_order import OrderedDates, order_of
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset

FILMS = "film,title\n1,Heat\n"
FORMS = {"day-first": ["%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y"], "month-first": ["%m/%d/%Y"]}


def set_of(folder: Path, times: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{user};1;4;{time}\n" for user, time in enumerate(times, 1))
    (folder / "films.csv").write_text(FILMS)
    (folder / "marks.csv").write_text(f"user;film;rating;date\n{rows}")
    return folder


def times_of(folder: Path, order: str | None = None) -> list[int]:
    data, _ = read_dataset(folder, ImportOptions.parse(date_order=order))
    return data.times[data.user_ids.argsort()].tolist()  # type: ignore[no-any-return]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.dates(date(1970, 1, 1), date(2199, 12, 31)), min_size=1, max_size=30),
    st.sampled_from([(order, form) for order, forms in FORMS.items() for form in forms]),
)
def test_a_column_tells_its_order_or_asks_for_it(
    tmp_path_factory: pytest.TempPathFactory, days: list[date], form: tuple[str, str]
) -> None:
    order, written = form
    folder = set_of(tmp_path_factory.mktemp("dates"), [f"{day:{written}}" for day in days])
    wanted = [int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in days]
    assert times_of(folder, order) == wanted
    if any(day.day > 12 for day in days):
        assert times_of(folder) == wanted
        return
    with pytest.raises(DataError, match="--date-order day-first or --date-order month-first"):
        times_of(folder)


def test_the_day_that_tells_may_be_in_the_last_row(tmp_path: Path) -> None:
    times = ["01.02.2024"] * 9000 + ["31.12.2024"]
    assert times_of(set_of(tmp_path / "x", times))[0] == 1706745600  # the first of February


def test_dates_of_two_orders_are_refused(tmp_path: Path) -> None:
    folder = set_of(tmp_path / "x", ["31/12/2024", "12/31/2024"])
    with pytest.raises(DataError, match="some dates have the day first and some the month"):
        times_of(folder)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("31.12.2024", 0), ("31.12.2024 23:53", 23), ("31/12/2024, 11:53:00 pm", 23),
        ("31/12/2024 12:53 AM", 0), ("31/12/2024T08:53", 8),
    ],
)  # fmt: skip
def test_a_date_may_have_a_time(text: str, hour: int) -> None:
    column = OrderedDates.of_times("day-first")
    assert column.reason(text) is None
    assert datetime.fromtimestamp(column.number(text), UTC).hour == hour


@pytest.mark.parametrize("text", ["32.12.2024", "12.13.2024", "1.1.1969", "1.1.2024 13:00 PM", "x"])
def test_what_is_no_date_is_told_with_an_example(text: str) -> None:
    reason = OrderedDates.of_times("day-first").reason(text)
    assert reason is not None
    assert "time" in reason


def test_an_order_has_a_name() -> None:
    with pytest.raises(DataError, match="date order 'dmy': day-first or month-first"):
        ImportOptions.parse(date_order="dmy")


def test_a_column_without_such_a_date_has_no_order() -> None:
    with pytest.raises(DataError, match="no day is above 12"):
        order_of(np.zeros(0, np.int64), "x.csv")


def test_no_loss_of_all_rows_is_offered(tmp_path: Path) -> None:
    folder = set_of(tmp_path / "x", ["2024-12-31"] * 5)
    text = (folder / "marks.csv").read_text().replace(";4;", ";four;")
    (folder / "marks.csv").write_text(text)
    with pytest.raises(DataError, match="nothing would be left: mend the file, or say") as told:
        times_of(folder)
    assert "--max-loss" not in str(told.value)
