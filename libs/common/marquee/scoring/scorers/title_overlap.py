"""Overlap of titles: how much the words that two titles share tell of a series.

The measure is the ratio model of Tversky 1977 (Features of Similarity): a word that only one of
the titles has counts less than a shared one, so that subtitles do not part the movies of a series.
A constant in the denominator keeps the overlap small where all shared words weigh little.
"""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Matrix, Vector
from marquee.features.row_layout import RowLayout
from marquee.features.title_words import SLOTS

TITLE_LAYOUT = RowLayout(ids=SLOTS, weights=SLOTS, total=1)
"""Layout of a title: word ids (0: none), their weights, and the sum of the weights."""

_UNSHARED = 0.15
"""Weight of the words that only one of two titles has."""
_LOOKUP = 1 << 16
"""Entries of the table by which words are looked for."""
_DOUBT = 0.1
"""Weight of shared words at which the overlap is half of what it can be."""


Pairs = tuple[Ints, Ints, Vector]
"""Indices of sources, of titles, and the overlaps of those that share a word."""


def title_pairs(sources: Matrix, titles: Matrix) -> Pairs:
    """Return the pairs of m titles and n others that share a word; the n are read once."""
    words, ids = (TITLE_LAYOUT.block(rows, "ids") for rows in (sources, titles))
    is_wanted = np.zeros(_LOOKUP, bool)
    is_wanted[_bits(words[words > 0]) & (_LOOKUP - 1)] = True
    # Slot by slot, so that titles in Fortran order are read without a copy.
    hashed = _bits(ids.T).ravel() & (_LOOKUP - 1)
    slots, rows = np.divmod(np.flatnonzero(is_wanted.take(hashed)), max(1, len(titles)))
    source, word, hit = np.nonzero(words[:, :, None] == ids[rows, slots])
    row, slot = rows[hit], slots[hit]
    weights = TITLE_LAYOUT.block(sources, "weights"), TITLE_LAYOUT.block(titles, "weights")
    both = np.minimum(weights[0][source, word], weights[1][row, slot])
    pairs, owners = np.unique(source * len(titles) + row, return_inverse=True)
    shared = np.bincount(owners, both, len(pairs)).astype(np.float32)
    source, row = np.divmod(pairs, max(1, len(titles)))
    totals = TITLE_LAYOUT.column(sources, "total"), TITLE_LAYOUT.column(titles, "total")
    return source, row, _index(shared, totals[0][source] + totals[1][row])


def _bits(ids: Matrix) -> npt.NDArray[np.int32]:
    """Return float32 ids as they are stored: their low bits are as good a hash as their values."""
    return np.ascontiguousarray(ids).view(np.int32)


def title_overlaps(sources: Matrix, titles: Matrix) -> Matrix:
    """Return the overlaps, m × n, of a few titles with many."""
    overlaps = np.zeros((len(sources), len(titles)), np.float32)
    source, row, overlap = title_pairs(sources, titles)
    overlaps[source, row] = overlap
    return overlaps


class TitleIndex:
    """Index of n titles by word, for their overlaps with many others."""

    def __init__(self, titles: Matrix) -> None:
        """Take titles laid out as `TITLE_LAYOUT`."""
        ids, weights = TITLE_LAYOUT.block(titles, "ids"), TITLE_LAYOUT.block(titles, "weights")
        order = np.argsort(ids.ravel(), kind="stable")
        self._ids, self._weights = ids.ravel()[order], weights.ravel()[order]
        self._rows = order // SLOTS
        self._totals = TITLE_LAYOUT.column(titles, "total")

    def overlaps(self, titles: Matrix) -> Matrix:
        """Return the overlaps, m × n, of m titles with those of the index."""
        overlaps = np.zeros((len(titles), len(self._totals)), np.float32)
        ids, weights = TITLE_LAYOUT.block(titles, "ids"), TITLE_LAYOUT.block(titles, "weights")
        totals = TITLE_LAYOUT.column(titles, "total")
        starts, ends = (np.searchsorted(self._ids, ids, side) for side in ("left", "right"))
        for i, overlap in enumerate(overlaps):
            for slot in np.flatnonzero(ids[i]):
                found = slice(starts[i, slot], ends[i, slot])
                overlap[self._rows[found]] += np.minimum(self._weights[found], weights[i, slot])
            rows = np.flatnonzero(overlap)
            overlap[rows] = _index(overlap[rows], self._totals[rows] + totals[i])
        return overlaps


def own_overlap(titles: Matrix) -> Vector:
    """Return the overlap of each of n titles with itself: no other title overlaps more with it."""
    totals = TITLE_LAYOUT.column(titles, "total")
    return _index(totals, 2 * totals)


def _index(shared: Vector, totals: Vector) -> Vector:
    """Return the ratio for pairs of titles, from the weights of shared words and of all words."""
    unshared = np.maximum(totals - 2 * shared, 0)
    ratios: Vector = shared / (shared + np.float32(_UNSHARED) * unshared + np.float32(_DOUBT))
    return ratios
