"""Check of the artifacts with documented names: present, and consistent with what serving uses.

Most are read when a service loads its model. Six of the neural model's are for data scientists:
serving reads no pickle and needs no torch, so these are compared with the files that it reads.
"""

import io
import pickle  # nosec B403  # loads no class and no function: _PlainUnpickler
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from marquee.arrays import Ints, load_arrays
from marquee.domain.models import CONTENT, HYBRID, NEURAL, USER_MODEL
from marquee.errors import ArtifactError
from marquee.registry.bundle import Manifest
from marquee.registry.pickle_scan import torch_arrays
from marquee.registry.registry import Registry
from trainer.models.classes import model_class

if TYPE_CHECKING:
    from neural.model import Neural

READ = "read when the model is loaded"

_USERS = 200
"""Users whose codes are computed as serving does, and compared with the stored ones."""

Comparisons = Mapping[str, Callable[[], bool]]
"""Comparisons by file: each returns whether it agrees with the files that serving reads."""

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
"""Use of each named file in serving, by model and file."""


@dataclass(frozen=True)
class ArtifactFinding:
    """The state of one artifact; `fault` is None if it is in order."""

    model: str
    file: str
    sha256: str
    use: str
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def check_artifacts(registry: Registry, manifest: Manifest) -> list[ArtifactFinding]:
    """Return a finding for each named artifact of a version.

    Raises:
        ArtifactError: The version cannot be loaded: a checksum differs, a number is not finite, or
            this code does not read its format.
    """
    name = manifest.name
    address = registry.address(name, manifest.version)
    model = registry.load(address, manifest.digest, model_class(name).load)
    folder = registry.path(name, manifest.version)
    comparisons = _neural_comparisons(folder, model) if name == NEURAL.name else {}
    return [
        _finding(manifest, file, use, comparisons.get(file)) for file, use in NAMED[name].items()
    ]


def _finding(
    manifest: Manifest, file: str, use: str, is_consistent: Callable[[], bool] | None
) -> ArtifactFinding:
    fault = None
    if file not in manifest.files:
        fault = "it is not there"
    elif is_consistent is not None and not is_consistent():
        fault = f"not so: {use}"
    return ArtifactFinding(manifest.name, file, manifest.files.get(file, ""), use, fault)


def _neural_comparisons(folder: Path, model: "Neural") -> Comparisons:
    """Return the comparisons of the neural model's files for data scientists."""
    ratings = load_arrays(folder / "ratings_csr.npz")
    return {
        "user_encoder.pkl": lambda: _encodes(folder / "user_encoder.pkl", ratings["user_ids"]),
        "item_encoder.pkl": lambda: _encodes(folder / "item_encoder.pkl", model.base.movie_ids),
        "ratings_csr.npz": lambda: _same_sums(ratings, model.base_sums),
        "user_content_vector.npz": lambda: _same_codes(folder, ratings, model),
        "model_movies_full_vectors_raw.npz": lambda: _same_vectors(folder, model),
        "neural_model_best.pt": lambda: _same_weights(folder),
    }


def _encodes(path: Path, ids: Ints) -> bool:
    """Return whether an encoder maps each id to its row."""
    return bool(read_plain_pickle(path) == {int(id_): row for row, id_ in enumerate(ids)})


def _same_sums(ratings: Mapping[str, Any], sums: Ints) -> bool:
    movies, half_stars, n = ratings["films"], ratings["half_stars"], len(sums)
    counts = np.bincount(movies, minlength=n)
    halves = np.bincount(movies, half_stars, minlength=n)
    return np.array_equal(counts, sums[:, 0]) and np.array_equal(halves, sums[:, 2])


def _same_codes(folder: Path, ratings: Mapping[str, Any], model: "Neural") -> bool:
    stored = load_arrays(folder / "user_content_vector.npz")
    starts = ratings["starts"]
    for user in range(min(_USERS, len(ratings["user_ids"]))):
        span = slice(starts[user], starts[user + 1])
        movies = ratings["films"][span].astype(np.int64)
        code = model.scorers.code(movies, ratings["half_stars"][span])
        if not np.allclose(code, stored["codes"][user], rtol=1e-3, atol=1e-4):
            return False
    return np.array_equal(stored["user_ids"], ratings["user_ids"])


def _same_vectors(folder: Path, model: "Neural") -> bool:
    stored = load_arrays(folder / "model_movies_full_vectors_raw.npz")
    clusters = model.movie_rows.pipeline.apply(stored["vectors"])[1]
    return np.array_equal(stored["movie_ids"], model.base.movie_ids) and np.array_equal(
        clusters, model.base.clusters
    )


def _same_weights(folder: Path) -> bool:
    served = load_file(folder / "neural_model.safetensors")
    best = dict(torch_arrays(folder / "neural_model_best.pt"))
    return set(served) <= set(best) and all(
        np.array_equal(best[name], weights.ravel()) for name, weights in served.items()
    )


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles containers, numbers and text; any class or function in a pickle is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise ArtifactError(f"the pickle names {module}.{name}, not on the allow-list")


def read_plain_pickle(path: Path) -> Any:
    """Return the content of a pickle of plain values.

    Raises:
        ArtifactError: The pickle names a class or a function.
    """
    return _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
