"""Tables of ratings as columns of numbers."""

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from trainer.datasets.columns.date_order import (
    DateOrder,
    DayMonths,
    OrderedDates,
    has_order,
    order_of,
)
from trainer.datasets.columns.rating_columns import rating_column
from trainer.datasets.files.open_tables import OpenTables, how_read
from trainer.datasets.files.row_streams import rows_of
from trainer.datasets.files.table_heads import TableFile
from trainer.datasets.netflix import read_sections
from trainer.datasets.text.numbers import Column, time_column
from trainer.datasets.text.tables import Tally, read_numbers

_LIKE = 10
"""Half stars of a row that is a like whatever it says."""


class RatingRows(NamedTuple):
    """Ratings in the order of their rows: numbers of ids, half stars, seconds; n each."""

    user_ids: Ints
    movie_ids: Ints
    half_stars: npt.NDArray[np.uint8]
    times: Ints


def read_ratings(tables: OpenTables) -> RatingRows:
    """Read the ratings of a data set.

    Raises:
        DataError: More rows are malformed than is tolerated, or their scale must be named.
    """
    if tables.layout.sections:
        return RatingRows(*read_sections(tables))
    table = tables.table("ratings")
    if table is None:
        empty = np.zeros(0, np.int64)
        return RatingRows(empty, empty, np.zeros(0, np.uint8), empty)
    with tables.file(table.name, how_read(table)) as (stream, tally):
        rows, sample = rows_of(stream, table)
        by_role = _columns(tables, table, sample)
        fields: list[Column | None] = [None] * table.columns.width
        for role, column in by_role.items():
            fields[table.columns.places[role]] = column
        arrays = read_numbers(rows, fields, tally, table.separator, table.first)
    order = sorted(by_role, key=lambda role: table.columns.places[role])
    found = dict(zip(order, arrays, strict=True))
    n = len(found["user"])
    half_stars = cast(npt.NDArray[np.uint8], found.get("rating", np.full(n, _LIKE, np.uint8)))
    times = found.get("time", np.zeros(n, np.int64))
    return RatingRows(found["user"], found["movie"], half_stars, times)


def _columns(tables: OpenTables, table: TableFile, sample: list[list[str]]) -> dict[str, Column]:
    """Return the columns that are read, by role; `sample` are the first rows."""
    columns: dict[str, Column] = {"user": tables.user, "movie": tables.film}
    options, places = tables.options, table.columns.places
    if not options.every_row_likes:
        texts = [row[places["rating"]] for row in sample]
        columns["rating"] = rating_column(table.name, texts, options.scale, options.max_loss)
    if "time" in places:
        columns["time"] = _times(tables, table, [row[places["time"]] for row in sample])
    return columns


def _times(tables: OpenTables, table: TableFile, sample: list[str]) -> Column:
    """Return the column of times, of which some fields are a sample."""
    example = next((text for text in sample if any(map(str.isdigit, text))), "")
    if not has_order(example):
        return time_column(example)
    order = tables.options.date_order or _date_order(tables, table)
    return OrderedDates.of_times(order)


def _date_order(tables: OpenTables, table: TableFile) -> DateOrder:
    """Return the order of day and month in the times of a table, by all of them."""
    fields: list[Column | None] = [None] * table.columns.width
    fields[table.columns.places["time"]] = DayMonths.of_times()
    with tables.layout.files[table.name]() as stream:
        rows, _ = rows_of(stream, table)
        (pairs,) = read_numbers(rows, fields, Tally(table.name), table.separator, table.first)
    return order_of(pairs, table.name)
