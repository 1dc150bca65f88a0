"""Integrity of bundles: every number of every artifact is finite; nothing is executed."""

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
from marquee.registry.pickle_scan import check_plain_pickle, torch_arrays

_CHUNK = 1 << 23
"""Bytes of an array that are checked at once."""


def check_bundle(directory: Path, manifest: Manifest) -> None:
    """Check the manifest and all files of a bundle.

    Raises:
        ArtifactError: a number is not finite (the message names file and array), or a file is
            damaged or of an unknown kind.
    """
    check_numbers(MANIFEST, {"metrics": manifest.metrics, "parameters": manifest.parameters})
    for name in manifest.files:
        check_file(directory / name)


def check_file(path: Path) -> None:
    """Check one artifact by its kind.

    Raises:
        ArtifactError: a number is not finite, or the file is damaged or of an unknown kind.
    """
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
                for chunk in _floats(stream):
                    check_finite(path, {member.removesuffix(".npy"): chunk})


def _floats(stream: IO[bytes]) -> Iterator[npt.NDArray[Any]]:
    """Yield the numbers of an `.npy` in chunks if they are floating; others need no check."""
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
        version, np.lib.format.read_array_header_2_0
    )
    _, _, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError("an array of objects, which would be a pickle")
    while dtype.kind in "fc" and (chunk := stream.read(_CHUNK)):
        yield np.frombuffer(chunk, dtype)


def _check_safetensors(path: Path) -> None:
    check_finite(path, load_file(path))


def _check_torch(path: Path) -> None:
    for name, values in torch_arrays(path):
        check_finite(path, {name: values})


_CHECKS: Mapping[str, Callable[[Path], Any]] = {
    ".npz": _check_npz,
    ".json": load_json,
    ".safetensors": _check_safetensors,
    ".pkl": check_plain_pickle,
    ".pt": _check_torch,
    ".txt": Path.read_text,
}
