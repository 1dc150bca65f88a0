"""Content embedding: genres, year and tags of a movie as a unit vector (scaler, then PCA)."""

from dataclasses import dataclass
from pathlib import Path

from marquee.arrays import Matrix, direction, load_arrays, save_arrays, unit
from marquee.features.pipeline import Encoder, Scaler

_FILE = "content_space.npz"


@dataclass(frozen=True, eq=False)
class ContentEmbedding:
    """Scaler and linear encoder of content rows; needs no ratings of a movie."""

    scaler: Scaler
    encoder: Encoder

    @property
    def e(self) -> int:
        """Dimensions of a code."""
        return len(self.encoder.components)

    def codes(self, content: Matrix) -> Matrix:
        """Return the unit codes, n × e, of n × d content rows (`MovieVectors.content`)."""
        return unit(self.encoder.transform(self.scaler.transform(content)))

    def save(self, directory: Path) -> None:
        """Write `content_space.npz`."""
        save_arrays(
            directory / _FILE,
            scaler_mean=self.scaler.mean,
            scale=self.scaler.scale,
            mean=self.encoder.mean,
            components=self.encoder.components,
        )

    @classmethod
    def load(cls, directory: Path) -> "ContentEmbedding":
        """Read `content_space.npz`."""
        arrays = load_arrays(directory / _FILE)
        return cls(
            Scaler(arrays["scaler_mean"], arrays["scale"]),
            Encoder(arrays["mean"], arrays["components"]),
        )


def likeness(codes: Matrix, liked: Matrix) -> Matrix:
    """Return the cosine of each of n × e unit codes to the mean direction of the liked ones.

    Args:
        codes: float32 n × e.
        liked: float32 l × e, codes of the liked movies; without any the result is 0.
    """
    cosines: Matrix = codes @ direction(liked)
    return cosines
