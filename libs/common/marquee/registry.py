"""Where published model versions lie: a directory a version, written once, fetched into a cache."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from marquee.artifacts import MANIFEST, Manifest, read_manifest, verify
from marquee.errors import ArtifactError, NotFound

M = TypeVar("M")

MODEL_NAMES: tuple[str, ...] = ("content", "hybrid", "user-model", "neural")


class Registry:
    """Versions under `root/<name>/<version>/`; a version appears whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, bundle: Path) -> Manifest:
        """Copy a sealed bundle in; return its manifest. A version that is there stays as it is."""
        manifest = verify(bundle)
        target = self.path(manifest.name, manifest.version)
        if target.exists():
            return manifest
        staging = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(bundle, staging)
        staging.rename(target)
        return manifest

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
        verify(directory, sha256)
        return directory

    def load(self, address: str, sha256: str, load: Callable[[Path], M]) -> M:
        """Return the model at an address; ArtifactError: altered, or not what this code reads."""
        directory = self.open(address, sha256)
        try:
            return load(directory)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise ArtifactError(f"{address}: cannot be read by this version: {error!r}") from error
