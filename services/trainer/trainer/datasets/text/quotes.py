"""Quotes in a block of rows: whether they may go, as they only enclose whole fields."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints

_QUOTE, _NEWLINE = ord('"'), ord("\n")


def quotes_enclose(block: bytes, separator: str, width: int, places: Sequence[int]) -> bool:
    """Return whether quotes stand at both ends of fields alone, in the columns that are read.

    Elsewhere they belong to what is written, as in 1"2. In other columns they do no harm
    while they hide no separator.

    Args:
        block: Whole rows, whose lines end with a newline alone.
        separator: Separator of the fields, one character.
        width: Number of fields of a row.
        places: The columns that are read.
    """
    codes = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    ends = np.flatnonzero((codes == ord(separator)) | (codes == _NEWLINE))
    if codes[-1] != _NEWLINE:
        ends = np.append(ends, len(codes))
    if _are_pairs(quotes, ends):
        return True
    if len(ends) % width or (codes[ends[width - 1 : -1 : width]] != _NEWLINE).any():
        return False
    of_column = np.searchsorted(ends, quotes) % width
    return _are_pairs(quotes[np.isin(of_column, places)], ends)


def _are_pairs(quotes: Ints, ends: Ints) -> bool:
    """Return whether quotes come in pairs, each of which encloses a field; `ends`: of all."""
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    fields = np.searchsorted(ends, opening)
    begins: npt.NDArray[np.bool_] = opening == np.append(0, ends + 1)[fields]
    return bool((begins & (closing + 1 == ends[fields])).all())
