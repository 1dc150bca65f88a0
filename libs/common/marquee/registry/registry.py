"""Registry of model versions on a file system: a directory a version, written once."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from marquee import telemetry
from marquee.domain.likes import likes_rule
from marquee.errors import ArtifactError, NotFound
from marquee.files import delete, replace_file, staged
from marquee.files import locked as file_lock
from marquee.registry.bundle import MANIFEST, Manifest, add_metrics, read_manifest, verify
from marquee.registry.integrity import check_bundle

M = TypeVar("M")

_ANNOUNCED = ".asked"
"""File with the versions announced last; its name is that of older code."""
_STALE_S = 3600.0
"""Age of a leftover of an interrupted change, in seconds."""


class Registry:
    """Versions under `root/<name>/<version>/`; a version appears as a whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, bundle: Path) -> Manifest:
        """Copy a sealed bundle in and return its manifest; an existing version is left unchanged.

        Raises:
            ArtifactError: a file does not have its checksum, or holds a number that is not finite.
        """
        manifest = verify(bundle)
        check_bundle(bundle, manifest)
        target = self.path(manifest.name, manifest.version)
        if target.exists():
            return manifest
        with staged(target) as part:
            shutil.copytree(bundle, part)
            try:
                part.rename(target)
            except OSError:  # a directory that is not empty is not replaced
                if not target.exists():
                    raise
        return manifest

    def add_metrics(self, name: str, version: str, metrics: Mapping[str, float]) -> Manifest:
        """Add metrics to the manifest of a version; its files and digest stay."""
        return add_metrics(self.path(name, version), metrics)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock under which versions are announced and removed."""
        with file_lock(self.root / ".lock"):
            yield

    def mark_announced(self, name: str, version: str) -> None:
        """Record that a version is about to be announced, which protects it until the next one."""
        announced = self.announced(name)
        if announced[:1] == (version,):
            return
        lines = (version, *announced[:1])
        replace_file(self.root / name / _ANNOUNCED, "\n".join(lines) + "\n")

    def announced(self, name: str) -> tuple[str, ...]:
        """Return the version announced last and the one before it, as far as there are any."""
        with suppress(FileNotFoundError):
            return tuple((self.root / name / _ANNOUNCED).read_text().split())
        return ()

    def remove(self, name: str, version: str) -> None:
        """Delete a version; readers lose it in one step."""
        path = self.path(name, version)
        with staged(path) as gone, suppress(FileNotFoundError):
            path.rename(gone)

    def sweep(self) -> None:
        """Delete leftovers of changes that were interrupted more than an hour ago."""
        for path in self.root.glob("*/.*"):
            with suppress(FileNotFoundError):
                is_part = path.is_dir() or path.suffix == ".tmp"
                if is_part and time.time() - path.stat().st_ctime > _STALE_S:
                    delete(path)

    def path(self, name: str, version: str) -> Path:
        """Return the directory of a version, whether or not it exists."""
        return self.root / name / version

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, oldest first."""
        manifests = (self.root / name).glob(f"[!.]*/{MANIFEST}")
        return sorted(path.parent.name for path in manifests)

    def manifest(self, name: str, version: str) -> Manifest:
        """Return the manifest of a version.

        Raises:
            NotFound: there is no such version; the message names the newest ones.
            ArtifactError: the manifest cannot be read.
        """
        directory = self.path(name, version)
        # A version is one folder of its model, never a way to another one.
        is_one_folder = version not in ("", "..") and Path(version).name == version
        if not is_one_folder or not directory.is_dir():
            known = ", ".join(self.versions(name)[-5:]) or "none"
            raise NotFound(f"no version {version} of model {name}; newest: {known}")
        return read_manifest(directory)

    def address(self, name: str, version: str) -> str:
        """Return the address in `model.published`: a path relative to the registry's root."""
        return f"{name}/{version}"

    def open(self, address: str, sha256: str) -> Path:
        """Return the directory at an address, checked against the published digest.

        Raises:
            ArtifactError: the address leaves the registry, a file or the digest differs, or a
                number is not finite.
        """
        directory = (self.root / address).resolve()
        if not directory.is_relative_to(self.root.resolve()):
            raise ArtifactError(f"address {address!r} leaves the registry")
        manifest = verify(directory, sha256)
        check_bundle(directory, manifest)
        _warn_of_other_likes(manifest)
        return directory

    def load(self, address: str, sha256: str, load: Callable[[Path], M]) -> M:
        """Return the model at an address, read by `load`.

        Raises:
            ArtifactError: the bundle was altered, or this version of the code cannot read it.
        """
        directory = self.open(address, sha256)
        try:
            return load(directory)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise ArtifactError(f"{address}: cannot be read by this version: {error!r}") from error


def _warn_of_other_likes(manifest: Manifest) -> None:
    """Warn where a version learned another meaning of ratings than this process has."""
    learned = manifest.parameters.get("likes", "from-ratings")
    if learned != likes_rule():
        telemetry.log.warning(
            "version trained with other likes: train again",
            model=manifest.name,
            version=manifest.version,
            trained_with=learned,
            setting=likes_rule(),
        )
