"""Quotes in tables of numbers: they enclose fields, or belong to what is written."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.datasets.files.options import ImportOptions
from trainer.datasets.reader import read_dataset
from trainer.datasets.text.quotes import quotes_enclose

ALL = ImportOptions(max_loss=1.0)
FIELD = st.text('12"', max_size=4)


@given(rows=st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=4))
def test_quotes_go_only_where_a_reader_of_csv_takes_them_away(rows: list[list[str]]) -> None:
    block = "".join(",".join(row) + "\n" for row in rows)
    for text in (block, block.removesuffix("\n")):
        if '"' in text and quotes_enclose(text.encode(), ",", 3, [0, 1, 2]):
            bare = [line.split(",") for line in text.replace('"', "").splitlines()]
            assert list(csv.reader(io.StringIO(text), strict=True)) == bare


@given(
    rows=st.lists(st.tuples(st.text("12", min_size=1), st.booleans()), min_size=2, max_size=8),
    width=st.integers(1, 3),
)
def test_quotes_around_whole_fields_may_go(rows: list[tuple[str, bool]], width: int) -> None:
    fields = [f'"{text}"' if is_quoted else text for text, is_quoted in rows]
    block = "".join(",".join([field] * width) + "\n" for field in fields).encode()
    assert quotes_enclose(block, ",", width, range(width))


@pytest.mark.parametrize(
    ("row", "places", "may_go"),
    [
        ('1,"x"y",3', [0, 2], True),
        ('1,"x"y",3', [1], False),
        ('1,"2,3', [0, 2], True),
        ('"1,2",3', [0, 1, 2], False),
        ('1","2,3', [0, 1, 2], False),
        ('1,"",3', [0, 1, 2], True),
        ('"', [0], False),
    ],
)
def test_quotes_in_columns_that_are_not_read_do_no_harm(
    row: str, places: list[int], may_go: bool
) -> None:
    assert quotes_enclose(f"{row}\n".encode(), ",", 3, places) is may_go


def test_quotes_within_ids_are_no_ids(tmp_path: Path) -> None:
    ids = ['"1"""', '1"1"', '"1', '""1""', '1"', '"1"']
    rows = "".join(f"{text},1,5\n" for text in ids[:2] + ids[3:])
    (tmp_path / "ratings.csv").write_text(f"userId,movieId,rating\n7,1,5\n{rows}")
    (tmp_path / "movies.csv").write_text("movieId,title\n1,One\n")
    data, report = read_dataset(tmp_path, ALL)
    assert data.user_ids.tolist() == [1, 7]
    assert report.malformed == 4
