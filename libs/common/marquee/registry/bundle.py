"""Bundles: a model version on disk, one directory with a manifest of its files' checksums."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from marquee.arrays import check_numbers
from marquee.errors import ArtifactError
from marquee.files import replace_file

FORMAT = 1
MANIFEST = "manifest.json"
UNPUBLISHED = "unpublished"
"""The version of a model that was fitted or read without a manifest."""


class Manifest(BaseModel):
    """Description of a bundle.

    Attributes:
        format: version of this format.
        name: of the model.
        version: of the model, begins with the time of creation.
        created: ISO 8601, UTC.
        files: sha256 of each file, by its path in the bundle.
        data_version: version of the training data.
        code_version: commit of the code.
        parameters: of the training.
        metrics: of the training and the evaluation.
        cut: where the training data ends, `topic:partition` → next offset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    name: str
    version: str
    created: str
    files: dict[str, str]
    data_version: str
    code_version: str = "unknown"
    parameters: dict[str, Any] = {}
    metrics: dict[str, float] = {}
    cut: dict[str, int] = {}

    @property
    def digest(self) -> str:
        """Sha256 of the file names and their checksums, in hex."""
        return digest_of(self.files)


def digest_of(files: Mapping[str, str]) -> str:
    """Return the sha256 (hex) over file names and their sha256, in the order of names."""
    lines = "".join(f"{name} {files[name]}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def checksum(path: Path) -> str:
    """Return the sha256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(
    directory: Path,
    name: str,
    data_version: str,
    code_version: str = "unknown",
    parameters: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    cut: Mapping[str, int] | None = None,
) -> Manifest:
    """Write the manifest of a directory of artifacts; the version ends with part of its digest.

    Raises:
        ArtifactError: a metric or parameter is not a finite number.
    """
    check_numbers(MANIFEST, {"metrics": dict(metrics or {}), "parameters": dict(parameters or {})})
    files = {
        path.relative_to(directory).as_posix(): checksum(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    created = datetime.now(UTC)
    manifest = Manifest(
        name=name,
        version=f"{created:%Y%m%dT%H%M%S}{created.microsecond // 1000:03d}-{digest_of(files)[:8]}",
        created=created.isoformat(),
        files=files,
        data_version=data_version,
        code_version=code_version,
        parameters=dict(parameters or {}),
        metrics=dict(metrics or {}),
        cut=dict(cut or {}),
    )
    (directory / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n")
    return manifest


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of a bundle without checking its files.

    Raises:
        ArtifactError: there is no manifest, or this code cannot read it.
    """
    path = directory / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(f"{directory.name}: no {MANIFEST}") from None
    except ValidationError as error:
        raise ArtifactError(f"{directory.name}/{MANIFEST}: {error.errors()[0]['msg']}") from None
    if manifest.format != FORMAT:
        raise ArtifactError(f"{directory.name}: format {manifest.format}, this code reads {FORMAT}")
    return manifest


def bundle_version(directory: Path) -> str:
    """Return the version of a bundle, or `UNPUBLISHED` before it is sealed."""
    is_sealed = (directory / MANIFEST).is_file()
    return read_manifest(directory).version if is_sealed else UNPUBLISHED


def verify(directory: Path, sha256: str | None = None) -> Manifest:
    """Return the manifest of a bundle whose files have their checksums.

    Raises:
        ArtifactError: a file is missing or altered, or the digest is not `sha256`, if given.
    """
    manifest = read_manifest(directory)
    for name, expected in manifest.files.items():
        path = directory / name
        if not path.is_file() or checksum(path) != expected:
            raise ArtifactError(f"{directory.name}/{name}: missing or not what its checksum says")
    if sha256 is not None and manifest.digest != sha256:
        raise ArtifactError(f"{directory.name}: digest {manifest.digest}, published was {sha256}")
    return manifest


def add_metrics(directory: Path, metrics: Mapping[str, float]) -> Manifest:
    """Add metrics to the manifest of a bundle; its files, digest and version stay.

    Raises:
        ArtifactError: a metric is not a finite number.
    """
    check_numbers(MANIFEST, {"metrics": dict(metrics)})
    manifest = read_manifest(directory)
    manifest = manifest.model_copy(update={"metrics": manifest.metrics | dict(metrics)})
    replace_file(directory / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    return manifest
