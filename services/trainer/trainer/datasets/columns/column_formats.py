"""Files of JSON lines and Parquet as CSV, so that one rule reads all tables."""

import codecs
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import csv, parquet
from pyarrow import json as json_lines

from marquee.errors import DataError
from trainer.datasets.columns.column_names import ROLES

ENDINGS = (".parquet", ".jsonl", ".ndjson")
"""Endings of the files that are converted."""
_MEASURES = frozenset((*ROLES["rating"], *ROLES["relevance"]))
_CHUNK = 1 << 16
"""Rows of a batch."""


def is_converted(name: str) -> bool:
    """Return whether a file is converted, by its name."""
    return name.casefold().endswith(ENDINGS)


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
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise DataError(f"{name} cannot be read: {reason}", "path") from None
    part.rename(path)


def _batches(stream: BinaryIO, name: str) -> Iterator[Any]:
    if not name.endswith(".parquet"):
        yield from _json_batches(_json_data(stream, name))
        return
    with tempfile.TemporaryFile() as copy:  # it is read from its end, and a stream may have none
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield from parquet.ParquetFile(copy).iter_batches()


def _json_data(stream: BinaryIO, name: str) -> bytes:
    data = stream.read().removeprefix(codecs.BOM_UTF8)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}, line {line}: JSON lines must be in UTF-8", "path") from None
    return data


def _json_batches(data: bytes) -> Iterator[Any]:
    """Yield batches of JSON lines; a text that looks like a date stays as it is."""
    try:
        table = json_lines.read_json(io.BytesIO(data))
        dated = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        if dated:
            as_text = pa.schema([(name, pa.string()) for name in dated])
            options = json_lines.ParseOptions(explicit_schema=as_text)
            table = json_lines.read_json(io.BytesIO(data), parse_options=options)
    except pa.ArrowException:  # as where ids are numbers in some rows and texts in others
        yield from _mixed_batches(data, dict.fromkeys(key for row in _rows(data) for key in row))
        return
    if any(pa.types.is_floating(field.type) and not _is_measure(field) for field in table.schema):
        # One 5.0 or 2**63 makes all ids of a column decimals, which are other ids.
        yield from _mixed_batches(data, table.schema.names)
    else:
        yield from table.to_batches()


def _is_measure(field: Any) -> bool:
    """Return whether a column is of ratings or relevances, of which 5 and 5.0 are one."""
    return field.name.casefold() in _MEASURES


def _mixed_batches(data: bytes, names: Iterable[str]) -> Iterator[Any]:
    """Yield batches of JSON lines whose values are texts as they are written."""
    columns = list(names)
    schema = pa.schema([(name, pa.string()) for name in columns])
    rows = _rows(data)
    while chunk := [[_plain(row.get(name)) for name in columns] for row in islice(rows, _CHUNK)]:
        arrays = [pa.array(values, pa.string()) for values in zip(*chunk, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _rows(data: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(io.BytesIO(data), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise pa.ArrowInvalid(f"line {number}: no JSON object")
        yield row


def _plain(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="replace").decode()  # half a pair of UTF-16 is no letter


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
