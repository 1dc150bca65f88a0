"""Cache of measurements on disk, keyed by digests of data, code and settings."""

import hashlib
import importlib.util
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from marquee import telemetry
from marquee.domain.likes import likes_rule
from marquee.files import staged
from trainer.evaluation.measurements import Measurement


@dataclass(frozen=True)
class EvaluationCache:
    """A folder with a file for each split and recommender; None caches nothing."""

    folder: Path | None

    def get(self, name: str, key: str) -> dict[str, Measurement] | None:
        """Return the cached measurements of a name; None if there are none of this key."""
        path = self._path(name)
        if path is None or not path.exists():
            return None
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["key"] != key:
                return None
            words: dict[str, str] = about["words"]
            return {
                name: Measurement(file[f"{name}:values"], file[f"{name}:shown"], text)
                for name, text in words.items()
            }

    def put(self, name: str, key: str, measurements: Mapping[str, Measurement]) -> None:
        """Store measurements under a name in place of those before."""
        path = self._path(name)
        if path is None:
            return
        arrays: dict[str, Any] = {}
        for slice_name, measurement in measurements.items():
            arrays[f"{slice_name}:values"] = measurement.values
            arrays[f"{slice_name}:shown"] = measurement.shown
        words = {slice_name: measurement.words for slice_name, measurement in measurements.items()}
        about = {"key": key, "words": words}
        with staged(path) as part:
            with part.open("wb") as file:
                np.savez(file, about=np.array(json.dumps(about)), **arrays)
            part.replace(path)

    def get_or_compute(
        self, name: str, key: str, compute: Callable[[], Mapping[str, Measurement]]
    ) -> Mapping[str, Measurement]:
        """Return the cached measurements of a name and key; compute and store them if missing."""
        if (cached := self.get(name, key)) is not None:
            return cached
        started = time.perf_counter()
        measurements = compute()
        seconds = round(time.perf_counter() - started, 1)
        telemetry.log.info("evaluated", what=name, seconds=seconds)
        self.put(name, key, measurements)
        return measurements

    def _path(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}.npz"


def key_of(*parts: object) -> str:
    """Return a digest of what a measurement depends on; the likes rule is always part of it."""
    return hashlib.sha256("\n".join(map(str, (likes_rule(), *parts))).encode()).hexdigest()


@cache
def code_digest(*modules: str) -> str:
    """Return a digest of the sources of modules; of a package, those of all its modules.

    Read once a process, since imported code does not change.
    """
    digest = hashlib.sha256()
    for module in modules:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin)
        for source in sorted(path.parent.rglob("*.py")) if path.stem == "__init__" else [path]:
            digest.update(f"{module} {source.name}\n".encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()
