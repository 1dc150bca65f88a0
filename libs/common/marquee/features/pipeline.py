"""Feature pipeline scaler → encoder → k-means in numpy; `marquee.training.pipeline` fits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix, load_arrays, save_arrays


@dataclass(frozen=True)
class Scaler:
    """Standardisation (x - mean) / scale; `mean` and `scale` are float32 d."""

    mean: Matrix
    scale: Matrix

    def transform(self, rows: Matrix) -> Matrix:
        """Return n × d rows, standardised."""
        scaled: Matrix = ((rows - self.mean) / self.scale).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Encoder:
    """A linear reduction (x - mean) · componentsᵀ; `components` float32 e × d, `mean` float32 d."""

    mean: Matrix
    components: Matrix

    def transform(self, rows: Matrix) -> Matrix:
        """Return the codes, n × e, of n × d rows."""
        codes: Matrix = ((rows - self.mean) @ self.components.T).astype(np.float32)
        return codes


@dataclass(frozen=True)
class KMeans:
    """Fitted cluster centres, float32 k × e."""

    centers: Matrix

    def distances(self, codes: Matrix) -> Matrix:
        """Return the squared distances, n × k, of n × e codes to the centres."""
        squares = (codes**2).sum(1)[:, None] + (self.centers**2).sum(1)[None, :]
        distances: Matrix = np.maximum(squares - 2 * codes @ self.centers.T, 0).astype(np.float32)
        return distances

    def assign(self, codes: Matrix) -> npt.NDArray[np.int16]:
        """Return the index of each code's nearest centre, n; ties go to the lower index."""
        nearest: npt.NDArray[np.int16] = self.distances(codes).argmin(axis=1).astype(np.int16)
        return nearest


@dataclass(frozen=True)
class Pipeline:
    """The three steps, saved as `scaler.npz`, `encoder.npz`, `kmeans.npz`."""

    scaler: Scaler
    encoder: Encoder
    kmeans: KMeans

    def encode(self, rows: Matrix) -> Matrix:
        """Return the codes, n × e, of n × d rows."""
        return self.encoder.transform(self.scaler.transform(rows))

    def apply(self, rows: Matrix) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return the codes, n × e, and clusters, n, of n × d rows."""
        codes = self.encode(rows)
        return codes, self.kmeans.assign(codes)

    def save(self, directory: Path, prefix: str = "") -> None:
        """Write the three files, their names prefixed."""
        for name, arrays in self._arrays().items():
            save_arrays(directory / f"{prefix}{name}.npz", **arrays)

    @classmethod
    def load(cls, directory: Path, prefix: str = "") -> "Pipeline":
        """Read the three files, their names prefixed."""
        scaler = load_arrays(directory / f"{prefix}scaler.npz")
        encoder = load_arrays(directory / f"{prefix}encoder.npz")
        kmeans = load_arrays(directory / f"{prefix}kmeans.npz")
        return cls(
            Scaler(scaler["mean"], scaler["scale"]),
            Encoder(encoder["mean"], encoder["components"]),
            KMeans(kmeans["centers"]),
        )

    def _arrays(self) -> Mapping[str, Mapping[str, Matrix]]:
        return {
            "scaler": {"mean": self.scaler.mean, "scale": self.scaler.scale},
            "encoder": {"mean": self.encoder.mean, "components": self.encoder.components},
            "kmeans": {"centers": self.kmeans.centers},
        }
