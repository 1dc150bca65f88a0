"""Is every number of a bundle finite? Read from the files' bytes: no pickle is executed here.

A pickle is a list of operations. They are looked through, not carried out, and one that names
anything beyond its kind's allow-list is refused.
"""

import pickletools
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from marquee.arrays import check_finite, check_numbers, load_json
from marquee.errors import ArtifactError
from marquee.registry.bundle import MANIFEST, Manifest

_CHUNK = 1 << 23
"""Bytes of an array that are looked at at once."""

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
_TORCH_NAMES = frozenset(
    {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"}
    | {f"torch {name}" for name in _STORAGES}
)
_NAMING = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"})


def check_bundle(directory: Path, manifest: Manifest) -> None:
    """Do nothing; ArtifactError names the file and the array of a number that is not finite."""
    check_numbers(MANIFEST, {"metrics": manifest.metrics, "parameters": manifest.parameters})
    for name in manifest.files:
        check_file(directory / name)


def check_file(path: Path) -> None:
    """Do nothing; ArtifactError: a number is not finite, or the file's kind is not known here."""
    check = _CHECKS.get(path.suffix)
    if check is None:
        raise ArtifactError(f"{path.name}: no artifact is of the kind {path.suffix or 'unnamed'}")
    try:
        check(path)
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        raise ArtifactError(f"{path.name}: {error}") from None


def _check_npz(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        for member in file.namelist():
            with file.open(member) as stream:
                for array in _floats(stream):
                    check_finite(path, {member.removesuffix(".npy"): array})


def _floats(stream: IO[bytes]) -> Iterator[npt.NDArray[Any]]:
    """Yield an `.npy` in pieces if it holds floating numbers: others are not even read."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    _, _, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("an array of objects, which would be a pickle")
    while dtype.kind in "fc" and (chunk := stream.read(_CHUNK)):
        yield np.frombuffer(chunk, dtype)


def _check_safetensors(path: Path) -> None:
    check_finite(path, load_file(path))


def _check_pickle(path: Path) -> None:
    """Check a pickle of plain containers, numbers and text."""
    before: Any = "the value"
    for name, argument, position in _operations(path, path.read_bytes(), frozenset()):
        if isinstance(argument, float):
            check_numbers(path.name, argument, f"{before} (byte {position})")
        elif argument is not None and "PUT" not in name and "GET" not in name:
            before = argument


def torch_arrays(path: Path) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the name and the values, flat, of each tensor of a dict that `torch.save` wrote."""
    with zipfile.ZipFile(path) as file:
        (listed,) = (name for name in file.namelist() if name.endswith("/data.pkl"))
        folder = listed.removesuffix("data.pkl")
        for name, dtype, key in _tensors(path, file.read(listed)):
            yield name, np.frombuffer(file.read(f"{folder}data/{key}"), dtype)


def _check_torch(path: Path) -> None:
    for name, values in torch_arrays(path):
        check_finite(path, {name: values})


def _tensors(path: Path, data: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield the name, type and storage of each tensor: ("storage", type, key, …) follows a name."""
    memo: dict[Any, Any] = {}
    said: list[str] = []
    last: Any = None
    for name, argument, _ in _operations(path, data, _TORCH_NAMES):
        if "PUT" in name or name == "MEMOIZE":
            memo[len(memo) if argument is None else argument] = last
            continue
        last = memo.get(argument) if "GET" in name else argument
        if not isinstance(last, str):
            continue
        said.append(last)
        if said[-3:-2] == ["storage"] and said[-2].startswith("torch "):
            named = [word for word in said[:-3] if word not in _TORCH_NAMES and word != "cpu"]
            yield named[-1] if named else "a tensor", _STORAGES[said[-2].split()[1]], said[-1]


def _operations(path: Path, data: bytes, allowed: frozenset[str]) -> Iterator[tuple[str, Any, int]]:
    """Yield the operations of a pickle; ArtifactError: it names what is not on the allow-list."""
    for operation, argument, position in pickletools.genops(data):
        if operation.name in _NAMING and (operation.name != "GLOBAL" or argument not in allowed):
            raise ArtifactError(
                f"{path.name}: names {argument or 'a class'}, not on the allow-list"
            )
        yield operation.name, argument, position or 0


_CHECKS: Mapping[str, Callable[[Path], Any]] = {
    ".npz": _check_npz,
    ".json": load_json,
    ".safetensors": _check_safetensors,
    ".pkl": _check_pickle,
    ".pt": _check_torch,
    ".txt": Path.read_text,
}
