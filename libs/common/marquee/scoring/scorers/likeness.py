"""Likeness of movies: what they are about, who likes both, and the words of their titles.

A likeness row has two blocks. `vector` is a unit vector: the co-liking vector, shorter the fewer
users speak for it, beside the content code, which takes up the rest of the length. `title` holds
hashed words with their weights, so that the words of a new movie need no vocabulary. Popularity
and mean rating are in neither. The likeness of two movies is a weighted mean of the dot product of
the unit vectors and the overlap of the titles: no row is more like a row than an equal one.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from marquee.arrays import Ints, Mask, Matrix, Vector, load_arrays, save_arrays, unit
from marquee.features.row_layout import RowLayout
from marquee.features.title_words import PAIR_SLOTS, SLOTS, WORD_SLOTS, word_ids
from marquee.scoring.scorers.title_overlap import (
    TITLE_LAYOUT,
    TitleIndex,
    own_overlap,
    title_pairs,
)

NEAR_SHARE = 0.005
"""Share of the catalogue that may be near a movie: what is nearer than 99.5 % of it."""
_NEAR_CONTENT = 0.5
"""Product of content codes from which a movie may be near: much is liked by the same people."""

_ROUNDING = np.float32(1e-5)
"""A floor is another movie's likeness, which is computed in another order of sums."""

LIKENESS_FILE = "likeness.npz"
"""File of a bundle; bundles of older code have none."""

_TITLE_WEIGHT = 0.5
"""Weight of the titles in a likeness."""
_AGREEMENT, _AGREEMENT_RANGE = 0.5, 0.4
"""Sum of a title's overlap and the product of content codes from which a title counts, and what is
to be added for its whole weight."""
_CO_LIKING = 0.7
"""Share of the co-liking vector in the squared length of a well-known movie's unit vector."""
_BLOCK_WEIGHTS = {"genres": 0.2, "year": 0.1, "tags": 0.2, "text": 0.4}
"""Weights of the blocks of content, each scaled to a unit vector; texts may have no columns."""
_SLOT_WEIGHTS = np.array([2.5, 1.0, *[0.6] * (WORD_SLOTS - 1), *[2.5] * PAIR_SLOTS], np.float32)
"""Factors of the weights: of the lead, of the first word, of the others, of pairs."""
_SAMPLE = 4096
"""Movies of the catalogue, evenly spaced, that tell which likeness is near."""
_CHUNK = 256
"""Movies that are compared with many others at a time."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """Encoder and measure of likeness rows.

    Attributes:
        scale: float32 d, inverse document frequencies of the columns of genres, year, tags, text.
        components: float32 e × d, the reduction of weighted content.
        f: width of co-liking vectors.
        words: int64 w ascending, ids of the words of the catalogue's titles.
        word_weights: float32 w, how much each tells of a series.
        new_word: weight of a word that the catalogue did not have.
    """

    scale: Vector
    components: Matrix
    f: int
    words: Ints
    word_weights: Vector
    new_word: float

    @cached_property
    def layout(self) -> RowLayout:
        """Layout of a likeness row."""
        return RowLayout(vector=self.f + len(self.components), title=TITLE_LAYOUT.width)

    def content(self, rows: Matrix, blocks: RowLayout) -> Matrix:
        """Return the unit content codes, n × e, of n movie vectors laid out as `blocks` says."""
        return unit(weighted_content(rows, blocks, self.scale) @ self.components.T)

    def titles(self, titles: list[str]) -> Matrix:
        """Return the title blocks, n × width of `TITLE_LAYOUT`."""
        ids = np.stack([word_ids(title) for title in titles]).reshape(-1, SLOTS)
        weights = np.where(ids > 0, self._weights(ids) * _SLOT_WEIGHTS, np.float32(0))
        return np.hstack([ids, weights, weights.sum(axis=1, keepdims=True)])

    def rows(self, co_liking: Matrix, content: Matrix, titles: Matrix) -> Matrix:
        """Return the likeness rows of n movies.

        Args:
            co_liking: float32 n × f, vectors of length at most 1.
            content: float32 n × e, unit codes.
            titles: float32 n × width of `TITLE_LAYOUT`.
        """
        shares = _CO_LIKING * np.square(co_liking).sum(axis=1, keepdims=True)
        vectors = (np.sqrt(_CO_LIKING) * co_liking, np.sqrt(np.maximum(1 - shares, 0)) * content)
        return np.hstack([unit(np.hstack(vectors)), titles]).astype(np.float32)

    def co_liking(self, rows: Matrix) -> Matrix:
        """Return the co-liking vectors, n × f, that likeness rows hold."""
        part: Matrix = rows[:, : self.f] / np.float32(np.sqrt(_CO_LIKING))
        return part

    def content_codes(self, rows: Matrix) -> Matrix:
        """Return the unit content codes, n × e, that likeness rows hold."""
        return unit(self.layout.block(rows, "vector")[:, self.f :])

    def to(self, row: Vector, rows: Matrix) -> Vector:
        """Return the likeness of one movie to each of n others, up to 1."""
        likenesses: Vector = self.between(row[None], rows)[0]
        return likenesses

    def between(self, rows: Matrix, others: Matrix) -> Matrix:
        """Return the likenesses, n × m, of n movies to m others."""
        return self.to_parts(rows, *self.parts(others))

    def parts(self, rows: Matrix) -> tuple[Matrix, Matrix]:
        """Return the vectors and the titles of likeness rows."""
        return self.layout.block(rows, "vector"), self.layout.block(rows, "title")

    def to_parts(
        self, sources: Matrix, vectors: Matrix, titles: Matrix, products: Matrix | None = None
    ) -> Matrix:
        """Return the likenesses, m × n, of m movies to many.

        Args:
            sources: likeness rows of the m movies.
            vectors: those of the n movies; `titles` their title blocks.
            titles: n rows.
            products: m × n, those of the vectors where they are known.
        """
        known, own_titles = self.parts(sources)
        products = known @ vectors.T if products is None else products
        likenesses: Matrix = products * np.float32(1 - _TITLE_WEIGHT)
        source, row, overlaps = title_pairs(own_titles, titles)
        trusted = self._trusted(overlaps, known[source], vectors[row])
        likenesses[source, row] += np.float32(_TITLE_WEIGHT) * trusted
        return likenesses

    def with_overlaps(self, overlaps: Matrix, sources: Matrix, vectors: Matrix) -> Matrix:
        """Return the likenesses, m × n, of m vectors to n from the overlaps of their titles."""
        source, row = np.nonzero(overlaps)
        trusted = self._trusted(overlaps[source, row], sources[source], vectors[row])
        likenesses: Matrix = (sources @ vectors.T) * np.float32(1 - _TITLE_WEIGHT)
        likenesses[source, row] += np.float32(_TITLE_WEIGHT) * trusted
        return likenesses

    def near(self, likenesses: Matrix, sources: Matrix, vectors: Matrix, floors: Vector) -> Mask:
        """Return which of n movies are near which of m, bool m × n: in likeness and in content.

        Args:
            likenesses: m × n.
            sources: vectors of the m movies; `floors` are theirs.
            vectors: those of the n movies.
            floors: m, as of `NearFloors`.
        """
        is_near: Mask = likenesses >= floors[:, None] - _ROUNDING
        at = np.flatnonzero(is_near)
        source, row = np.divmod(at, max(1, len(vectors)))
        is_near.flat[at] = self._agreement(sources[source], vectors[row]) >= _NEAR_CONTENT
        return is_near

    def _trusted(self, overlaps: Vector, sources: Matrix, vectors: Matrix) -> Vector:
        """Return n overlaps of titles, less where the content in the vectors disagrees.

        Many movies share a word by chance. The more two titles share, the less their content has to
        agree.
        """
        agreement = self._agreement(sources, vectors) + overlaps
        trust = (agreement - np.float32(_AGREEMENT)) / np.float32(_AGREEMENT_RANGE)
        trusted: Vector = overlaps * np.clip(trust, 0, 1)
        return trusted

    def _agreement(self, vectors: Matrix, others: Matrix) -> Vector:
        """Return the products of the content codes in n vectors and in n others."""
        codes, other_codes = vectors[:, self.f :], others[:, self.f :]
        products = np.einsum("nd,nd->n", codes, other_codes)
        squares = np.square(codes).sum(axis=1) * np.square(other_codes).sum(axis=1)
        agreement: Vector = products / np.sqrt(np.maximum(squares, np.float32(1e-12)))
        return agreement

    def save(self, directory: Path) -> None:
        """Write `likeness.npz`."""
        save_arrays(
            directory / LIKENESS_FILE,
            **{field.name: np.asarray(getattr(self, field.name)) for field in fields(self)},
        )

    @classmethod
    def load(cls, directory: Path) -> "Likeness":
        """Read `likeness.npz`."""
        arrays = load_arrays(directory / LIKENESS_FILE)
        return cls(
            scale=arrays["scale"],
            components=arrays["components"],
            f=int(arrays["f"]),
            words=arrays["words"],
            word_weights=arrays["word_weights"],
            new_word=float(arrays["new_word"]),
        )

    def _weights(self, ids: Matrix) -> Matrix:
        weights = np.full(ids.shape, self.new_word, np.float32)
        if len(self.words):
            at = np.minimum(np.searchsorted(self.words, ids), len(self.words) - 1)
            weights = np.where(self.words[at] == ids, self.word_weights[at], weights)
        return weights


class NearFloors:
    """Likeness from which another movie is near: nearer than all but `NEAR_SHARE` of a catalogue.

    Of a large catalogue a sample is compared.
    """

    def __init__(self, likeness: Likeness, catalogue: Matrix) -> None:
        """Take the likeness rows of the catalogue."""
        sample = catalogue[:: max(1, len(catalogue) // _SAMPLE)]
        vectors, titles = likeness.parts(sample)
        self._likeness, self._vectors = likeness, np.ascontiguousarray(vectors)
        self._index = TitleIndex(titles)
        # The most alike one is the movie itself.
        self._nth = max(0, min(int(np.ceil((1 - NEAR_SHARE) * len(sample))), len(sample) - 2))

    def of(self, rows: Matrix) -> Vector:
        """Return the floors of n movies from their likeness rows."""
        floors = np.zeros(len(rows), np.float32)
        for start in range(0, len(rows) if len(self._vectors) else 0, _CHUNK):
            vectors, titles = self._likeness.parts(rows[start : start + _CHUNK])
            overlaps = self._index.overlaps(titles)
            likenesses = self._likeness.with_overlaps(overlaps, vectors, self._vectors)
            ordered = np.partition(likenesses, self._nth, axis=1)
            floors[start : start + _CHUNK] = ordered[:, self._nth]
        return floors


class CoLikingPredictor:
    """Prediction of the co-liking vectors of new movies from those of movies like them."""

    _NEIGHBORS = 40
    _POWER = 4
    _SHARPNESS = 0.01
    """Distance that is added to all: the smaller, the more a neighbour at distance 0 counts."""
    _REACH = 0.5
    """Distance at which a neighbour counts as much as no knowledge does."""

    def __init__(self, likeness: Likeness, known: Matrix) -> None:
        """Take the likeness rows of movies whose co-liking vectors are known."""
        self._vectors = likeness.co_liking(known)
        self._content = likeness.content_codes(known)
        self._index = TitleIndex(likeness.layout.block(known, "title"))

    def predict(self, content: Matrix, titles: Matrix) -> Matrix:
        """Return the vectors, n × f, by inverse-distance weighting (Shepard 1968).

        An exact copy of a movie's content gets the movie's vector; the less a movie is like any
        known one, the shorter its vector.
        """
        predicted = np.zeros((len(content), self._vectors.shape[1]), np.float32)
        for start in range(0, len(content) if len(self._content) else 0, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            products = content[chunk] @ self._content.T
            own = np.square(content[chunk]).sum(axis=1), own_overlap(titles[chunk])
            nearness = _mean(products, self._index.overlaps(titles[chunk]))
            predicted[chunk] = self._average(_mean(*own)[:, None] - nearness)
        return predicted

    def _average(self, distances: Matrix) -> Matrix:
        n = min(self._NEIGHBORS, distances.shape[1])
        nearest = np.argpartition(distances, n - 1, axis=1)[:, :n]
        distances = np.maximum(np.take_along_axis(distances, nearest, axis=1), 0)
        weights = (distances + self._SHARPNESS) ** -self._POWER
        weights /= weights.sum(axis=1, keepdims=True) + self._REACH**-self._POWER
        mean: Matrix = np.einsum("nd,ndf->nf", weights, self._vectors[nearest])
        return mean


def _mean(products: Matrix, overlaps: Matrix) -> Matrix:
    """Return the weighted means of products and overlaps."""
    mean: Matrix = products * np.float32(1 - _TITLE_WEIGHT)
    mean += np.float32(_TITLE_WEIGHT) * overlaps
    return mean


def weighted_content(rows: Matrix, blocks: RowLayout, scale: Vector) -> Matrix:
    """Return genres, year, tags and text of n movie vectors, each a unit block times its weight.

    Args:
        rows: float32, n vectors laid out as `blocks` says; further columns are not read.
        blocks: layout of the vectors, which begin with these blocks.
        scale: float32 d, factors of the columns of these blocks.
    """
    scaled = rows[:, : len(scale)] * scale
    weighted = [
        np.sqrt(np.float32(weight)) * unit(blocks.block(scaled, name))
        for name, weight in _BLOCK_WEIGHTS.items()
    ]
    return np.hstack(weighted)
