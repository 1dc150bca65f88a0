"""Names of array types, the array and JSON files of a bundle, growth, and unit vectors."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from marquee.errors import ArtifactError

Ints = npt.NDArray[np.int64]
"""Ids, rows, counts, times."""

Integer = npt.NDArray[np.integer]
"""Integers of any width."""

Matrix = npt.NDArray[np.float32]
"""What models store and score with, of two dimensions (or any number of them)."""

Vector = npt.NDArray[np.float32]
"""A `Matrix` of one dimension."""

Reals = npt.NDArray[np.float64]
"""Sums and measures, which need more than single precision."""

Floating = npt.NDArray[np.floating]
"""Floating-point numbers of any precision."""

Mask = npt.NDArray[np.bool_]
"""Which rows are meant."""

_Number = TypeVar("_Number", bound=np.generic)


def save_arrays(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays to an `.npz`.

    Raises:
        ArtifactError: a value is not finite.
    """
    check_finite(path, arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an `.npz`; pickles are refused.

    Raises:
        ArtifactError: the file cannot be read, or a value is not finite.
    """
    try:
        with path.open("rb") as file:
            return read_arrays(file, path.name)
    except OSError as error:
        raise ArtifactError(f"{path.name}: {error}") from None


def read_arrays(file: Any, name: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of an open `.npz`; `name` is for errors, which are those of `load_arrays`.

    Raises:
        ArtifactError: the file cannot be read, or a value is not finite.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{name}: {error}") from None
    check_finite(Path(name), arrays)
    return arrays


def save_json(path: Path, value: Any) -> None:
    """Write a JSON file, byte by byte the same for the same value."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def load_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        ArtifactError: the file cannot be read, or a number is not finite.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path.name}: {error}") from None
    check_numbers(path.name, value)
    return value


def check_numbers(file: str, value: Any, where: str = "") -> None:
    """Check that all numbers of a JSON value are finite.

    Args:
        file: named in the error.
        value: the value, of any depth.
        where: path of `value` in the file.

    Raises:
        ArtifactError: names the path of a number that is not finite.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            check_numbers(file, inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            check_numbers(file, inner, f"{where}[{i}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise _not_finite(file, where)


def check_finite(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check that all numbers of arrays are finite.

    Raises:
        ArtifactError: names the file and the array of a value that is not finite.
    """
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise _not_finite(path.name, name)


def _not_finite(file: str, where: str) -> ArtifactError:
    return ArtifactError(f"{file}: {where} has a value that is not a finite number")


def lengthened(rows: npt.NDArray[_Number], extra: int) -> npt.NDArray[_Number]:
    """Return a copy with `extra` rows of zeros at the end, stored by column if `rows` are."""
    shape = (len(rows) + extra, *rows.shape[1:])
    longer = np.zeros(shape, rows.dtype, "C" if rows.flags.c_contiguous else "F")
    longer[: len(rows)] = rows
    return longer


def unit(rows: Matrix) -> Matrix:
    """Return n × d rows scaled to length 1; a row of zeros stays zero."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: Matrix = (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
    return scaled


def direction(codes: Matrix) -> Vector:
    """Return the unit vector, e, of the sum of n × e codes; zeros if n is 0."""
    summed: Vector = unit(codes.sum(axis=0)[None])[0]
    return summed
