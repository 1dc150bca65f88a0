"""Where published model versions lie: a directory a version, written once, fetched into a cache."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from marquee.errors import ArtifactError, NotFound
from marquee.files import delete, locked, replace_file, staged
from marquee.registry.bundle import MANIFEST, Manifest, add_metrics, read_manifest, verify
from marquee.registry.integrity import check_bundle

M = TypeVar("M")

_ASKED = ".asked"
_STALE_S = 3600.0


class Registry:
    """Versions under `root/<name>/<version>/`; a version appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, bundle: Path) -> Manifest:
        """Copy a sealed bundle in; return its manifest. A version that is there stays as it is.

        ArtifactError: a file is not what its checksum says, or holds a number that is not finite.
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
        """Add figures to the manifest of a version that is there; its files and digest stay."""
        return add_metrics(self.path(name, version), metrics)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the lock under which versions are asked to serve, and removed."""
        with locked(self.root / ".lock"):
            yield

    def ask(self, name: str, version: str) -> None:
        """Note that a version is about to be announced: until the next one it is not removed."""
        asked = self.asked(name)
        if asked[:1] == (version,):
            return
        replace_file(self.root / name / _ASKED, "\n".join((version, *asked[:1])) + "\n")

    def asked(self, name: str) -> tuple[str, ...]:
        """Return the version that was announced last, and the other one before it."""
        with suppress(FileNotFoundError):
            return tuple((self.root / name / _ASKED).read_text().split())
        return ()

    def remove(self, name: str, version: str) -> None:
        """Delete a version; to readers it is gone at once."""
        path = self.path(name, version)
        with staged(path) as gone, suppress(FileNotFoundError):
            path.rename(gone)

    def sweep(self) -> None:
        """Delete what was half added or half removed more than an hour ago."""
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
        found = (self.root / name).glob(f"[!.]*/{MANIFEST}")
        return sorted(path.parent.name for path in found)

    def manifest(self, name: str, version: str) -> Manifest:
        """Return the manifest of a version; NotFound names those that there are."""
        directory = self.path(name, version)
        if not directory.is_dir():
            known = ", ".join(self.versions(name)[-5:]) or "none"
            raise NotFound(f"no version {version} of model {name}; newest: {known}")
        return read_manifest(directory)

    def address(self, name: str, version: str) -> str:
        """Return the address that `model.published` carries: relative to the registry's root."""
        return f"{name}/{version}"

    def open(self, address: str, sha256: str) -> Path:
        """Return the directory at an address once its files and digest are as published."""
        directory = (self.root / address).resolve()
        if not directory.is_relative_to(self.root.resolve()):
            raise ArtifactError(f"address {address!r} leaves the registry")
        check_bundle(directory, verify(directory, sha256))
        return directory

    def load(self, address: str, sha256: str, load: Callable[[Path], M]) -> M:
        """Return the model at an address; ArtifactError: altered, or not what this code reads."""
        directory = self.open(address, sha256)
        try:
            return load(directory)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise ArtifactError(f"{address}: cannot be read by this version: {error!r}") from error
