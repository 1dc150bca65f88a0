"""Where movies are near that are alike in genres, year and tags: content → scaler → encoder."""

from dataclasses import dataclass
from pathlib import Path

from marquee.arrays import Matrix, direction, load_arrays, save_arrays, unit
from marquee.features.pipeline import Encoder, Scaler

_FILE = "content_space.npz"


@dataclass(frozen=True, eq=False)
class ContentEmbedding:
    """Scaler and encoder of content rows; a movie nobody rated has its place as any other."""

    scaler: Scaler
    encoder: Encoder

    @property
    def e(self) -> int:
        """How many numbers a code has."""
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
    """Return how near each of n × e unit codes is to what `liked` ones, l × e, have in common, n.

    The cosine to the sum of their codes; 0 where none is liked.
    """
    near: Matrix = codes @ direction(liked)
    return near
