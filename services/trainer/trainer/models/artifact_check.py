"""The artifacts that go by a name of their own, what serving does with each, and whether it does.

Most are read when a service loads its model. Six of the neural model's are for data scientists:
serving reads no pickle and needs no torch. Those must say the same as the files that it reads.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from marquee.arrays import load_arrays
from marquee.domain.models import CONTENT, HYBRID, NEURAL, USER_MODEL
from marquee.errors import ArtifactError
from marquee.registry.bundle import Manifest
from marquee.registry.integrity import torch_arrays
from marquee.registry.registry import Registry
from trainer.models.classes import model_class

READ = "read when the model is loaded"

_CODED = 200
"""Users whose codes are computed anew as serving does."""

NAMED: Mapping[str, Mapping[str, str]] = {
    CONTENT.name: {
        "movies_vector.npz": READ,
        "scaler.npz": READ,
        "encoder.npz": READ,
        "kmeans.npz": READ,
    },
    HYBRID.name: {
        "item_factors.npz": READ,
        "movies_vector.npz": READ,
        "scaler.npz": READ,
        "encoder.npz": READ,
        "kmeans.npz": READ,
        "viewer_clusters.npz": READ,
    },
    USER_MODEL.name: {
        "taste_encoder.npz": READ,
        "content_space.npz": READ,
        "kmeans.npz": READ,
        "interaction_codes.npz": READ,
        "ratings_csr.npz": READ,
        "film_segments.npz": READ,
        "user_segment_autoencoder.npz": READ,
        "user_segments.npz": READ,
        "encoded_user_vectors.npz": READ,
    },
    NEURAL.name: {
        "user_encoder.pkl": "its viewers are the rows of ratings_csr.npz",
        "item_encoder.pkl": "its films are the rows of films.npz, which is read",
        "ratings_csr.npz": "its sums per film are those of films.npz, which is read",
        "user_content_vector.npz": "its codes and clusters are those that serving computes",
        "model_movies_full_vectors_raw.npz": "its vectors are those that serving makes of films",
        "neural_model_best.pt": "its weights are those of neural_model.safetensors, which is read",
    },
}
"""By model and file: what serving does with it."""


@dataclass(frozen=True)
class ArtifactFinding:
    """What was found of one artifact; `fault` None: it is in order."""

    model: str
    file: str
    sha256: str
    use: str
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check_artifacts(registry: Registry, manifest: Manifest) -> list[ArtifactFinding]:
    """Return a finding for each named artifact of a version.

    ArtifactError: the version cannot be loaded: a checksum differs, a number is not finite, or this
    code does not read it.
    """
    name = manifest.name
    address = registry.address(name, manifest.version)
    model = registry.load(address, manifest.digest, model_class(name).load)
    folder = registry.path(name, manifest.version)
    agreements = _AGREEMENTS[name](folder, model) if name in _AGREEMENTS else {}
    return [
        _finding(manifest, file, use, agreements.get(file)) for file, use in NAMED[name].items()
    ]


def _finding(
    manifest: Manifest, file: str, use: str, agrees: Callable[[], bool] | None
) -> ArtifactFinding:
    fault = None
    if file not in manifest.files:
        fault = "it is not there"
    elif agrees is not None and not agrees():
        fault = f"not so: {use}"
    return ArtifactFinding(manifest.name, file, manifest.files.get(file, ""), use, fault)


def _neural_agreements(folder: Path, model: Any) -> dict[str, Callable[[], bool]]:
    """Return by file what compares it with what serves: `model`, a `neural.model.Neural`."""
    ratings = load_arrays(folder / "ratings_csr.npz")
    return {
        "user_encoder.pkl": lambda: _rows(folder / "user_encoder.pkl", ratings["user_ids"]),
        "item_encoder.pkl": lambda: _rows(folder / "item_encoder.pkl", model.base.movie_ids),
        "ratings_csr.npz": lambda: _same_sums(ratings, model.base_sums),
        "user_content_vector.npz": lambda: _same_codes(folder, ratings, model),
        "model_movies_full_vectors_raw.npz": lambda: _same_vectors(folder, model),
        "neural_model_best.pt": lambda: _same_weights(folder),
    }


_AGREEMENTS: Mapping[str, Callable[[Path, Any], Mapping[str, Callable[[], bool]]]] = {
    NEURAL.name: _neural_agreements
}
"""By model: comparisons of the files that serving does not read, given its folder and the model."""


def _rows(path: Path, ids: Any) -> bool:
    """Whether an encoder gives each id its row."""
    return bool(read_plain(path) == {int(identity): row for row, identity in enumerate(ids)})


def _same_sums(ratings: Mapping[str, Any], sums: Any) -> bool:
    movies, half_stars, n = ratings["films"], ratings["half_stars"], len(sums)
    counts = np.bincount(movies, minlength=n)
    halves = np.bincount(movies, half_stars, minlength=n)
    return np.array_equal(counts, sums[:, 0]) and np.array_equal(halves, sums[:, 2])


def _same_codes(folder: Path, ratings: Mapping[str, Any], model: Any) -> bool:
    held = load_arrays(folder / "user_content_vector.npz")
    starts = ratings["starts"]
    for user in range(min(_CODED, len(ratings["user_ids"]))):
        some = slice(starts[user], starts[user + 1])
        code = model.code(ratings["films"][some].astype(np.int64), ratings["half_stars"][some])
        if not np.allclose(code, held["codes"][user], rtol=1e-3, atol=1e-4):
            return False
    return np.array_equal(held["user_ids"], ratings["user_ids"])


def _same_vectors(folder: Path, model: Any) -> bool:
    held = load_arrays(folder / "model_movies_full_vectors_raw.npz")
    clusters = model.movie_rows.pipeline.apply(held["vectors"])[1]
    return np.array_equal(held["movie_ids"], model.base.movie_ids) and np.array_equal(
        clusters, model.base.clusters
    )


def _same_weights(folder: Path) -> bool:
    served = load_file(folder / "neural_model.safetensors")
    best = dict(torch_arrays(folder / "neural_model_best.pt"))
    return set(served) <= set(best) and all(
        np.array_equal(best[name], weights.ravel()) for name, weights in served.items()
    )


class _Plain(pickle.Unpickler):
    """Reads containers, numbers and text: a name in a pickle is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise ArtifactError(f"the pickle names {module}.{name}, not on the allow-list")


def read_plain(path: Path) -> Any:
    """Return what a pickle of plain values holds. ArtifactError: it names a class or function."""
    return _Plain(io.BytesIO(path.read_bytes())).load()
