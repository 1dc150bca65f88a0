"""Files of JSON lines and Parquet as CSV, so that one rule reads all tables."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv, parquet
from pyarrow import json as json_lines

from marquee.errors import DataError

ENDINGS = (".parquet", ".jsonl", ".ndjson")
"""Endings of the files that are converted."""


def converted(opener: Callable[[], BinaryIO], name: str, folder: Path) -> Callable[[], BinaryIO]:
    """Return an opener of a file as CSV, which is written into a folder when it is first opened."""
    path = folder / f"{name.replace('/', '|')}.csv"

    def open_csv() -> BinaryIO:
        if not path.exists():
            _convert(opener, name, path)
        return path.open("rb")

    return open_csv


def _convert(opener: Callable[[], BinaryIO], name: str, path: Path) -> None:
    part = path.with_suffix(".part")
    try:
        with opener() as stream:
            _write(_batches(stream, name), part)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} cannot be read: {str(error).splitlines()[0]}", "path") from None
    part.rename(path)


def _batches(stream: BinaryIO, name: str) -> Iterator[Any]:
    if not name.endswith(".parquet"):
        yield from json_lines.read_json(stream).to_batches()
        return
    with tempfile.TemporaryFile() as copy:  # it is read from its end, and a stream may have none
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield from parquet.ParquetFile(copy).iter_batches()


def _write(batches: Iterator[Any], path: Path) -> None:
    writer = None
    try:
        for batch in batches:
            columns = [_as_text(column) for column in batch.columns]
            text = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
            writer = writer or csv.CSVWriter(path, text.schema)
            writer.write_batch(text)
    finally:
        if writer is None:
            path.touch()
        else:
            writer.close()


def _as_text(column: Any) -> Any:
    """Return a column of text: lists and objects as JSON, missing values as nothing."""
    if pa.types.is_nested(column.type):
        values = column.to_pylist()
        texts = [json.dumps(value, ensure_ascii=False, default=str) for value in values]
        return pa.array(texts, pa.string())
    return column.cast(pa.string()).fill_null("")
