"""Reader of the numbers in pickles, without executing them.

A pickle is a program of stack operations. They are listed by `pickletools`, never carried out, and
a pickle that names any class or function beyond an allow-list is refused.
"""

import pickletools  # nosec B403  # lists operations, carries none out
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from marquee.arrays import check_numbers
from marquee.errors import ArtifactError

_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
"""Name of a storage class of torch → numpy type of its numbers."""

_TORCH_NAMES = frozenset(
    {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"}
    | {f"torch {name}" for name in _STORAGES}
)
"""Globals that a saved dict of tensors may name."""

_NAMING = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"})
"""Operations that name a class or function."""


class _Operation(NamedTuple):
    name: str
    argument: Any
    position: int


class _Tensor(NamedTuple):
    name: str
    dtype: str
    file: str


def check_plain_pickle(path: Path) -> None:
    """Check a pickle of plain containers, numbers and text.

    Raises:
        ArtifactError: a number is not finite, or the pickle names a class or function.
    """
    label: Any = "the value"
    for name, argument, position in _operations(path, path.read_bytes(), frozenset()):
        if isinstance(argument, float):
            check_numbers(path.name, argument, f"{label} (byte {position})")
        elif argument is not None and "PUT" not in name and "GET" not in name:
            label = argument  # mostly the key of the value that follows


def torch_arrays(path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the name and the values, flat, of each tensor of a dict that `torch.save` wrote.

    Raises:
        ArtifactError: the file names a class or function that no dict of tensors needs.
    """
    with zipfile.ZipFile(path) as file:
        (pickle,) = (name for name in file.namelist() if name.endswith("/data.pkl"))
        folder = pickle.removesuffix("data.pkl")
        for tensor in _tensors(path, file.read(pickle)):
            data = file.read(f"{folder}data/{tensor.file}")
            yield tensor.name, np.frombuffer(data, tensor.dtype)


def _tensors(path: Path, data: bytes) -> Iterator[_Tensor]:
    """Yield the tensors of torch's pickle.

    Each is a name (the key in the dict), followed by a tuple that begins with the texts "storage",
    the storage class and the name of the file that holds the numbers.
    """
    texts: list[str] = []
    for text in _pushed_texts(_operations(path, data, _TORCH_NAMES)):
        texts.append(text)
        if len(texts) < 3:
            continue
        *before, tag, storage, file = texts
        if tag == "storage" and storage.startswith("torch "):
            keys = [word for word in before if word not in _TORCH_NAMES and word != "cpu"]
            dtype = _STORAGES[storage.removeprefix("torch ")]
            yield _Tensor(keys[-1] if keys else "a tensor", dtype, file)


def _pushed_texts(operations: Iterator[_Operation]) -> Iterator[str]:
    """Yield every text and global name that is pushed on the stack, also out of the memo."""
    memo: dict[Any, Any] = {}
    pushed: Any = None
    for name, argument, _ in operations:
        if "PUT" in name or name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = pushed
            continue
        pushed = memo.get(argument) if "GET" in name else argument
        if isinstance(pushed, str):
            yield pushed


def _operations(path: Path, data: bytes, allowed: frozenset[str]) -> Iterator[_Operation]:
    """Yield the operations of a pickle.

    Raises:
        ArtifactError: an operation names a class or function that is not in `allowed`.
    """
    for operation, argument, position in pickletools.genops(data):
        if operation.name in _NAMING and (operation.name != "GLOBAL" or argument not in allowed):
            raise ArtifactError(
                f"{path.name}: names {argument or 'a class'}, not on the allow-list"
            )
        yield _Operation(operation.name, argument, position or 0)
