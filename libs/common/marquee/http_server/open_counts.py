"""Numbers of open connections of workers, in memory that all of them share."""

import mmap
import struct
from pathlib import Path
from typing import Final

_NONE: Final = -1


class OpenCount:
    """How many connections a worker has open, among the numbers of all.

    A worker that accepts nothing has no number.
    """

    def __init__(self, file: Path, worker: int) -> None:
        """Open what `create_counts` has made.

        Args:
            file: The file behind the numbers.
            worker: The worker, which counts from 1.
        """
        with file.open("r+b") as opened:
            self._counts = memoryview(mmap.mmap(opened.fileno(), 0)).cast("q")
        self._place, self._is_withdrawn = worker - 1, False

    def tell(self, count: int) -> None:
        """Set the number, unless it was withdrawn."""
        if not self._is_withdrawn:
            self._counts[self._place] = count

    def withdraw(self) -> None:
        """Accept nothing from now on."""
        self._is_withdrawn = True
        self._counts[self._place] = _NONE

    def exceeds_another(self) -> bool:
        """Return whether a worker that accepts has fewer connections open than this one."""
        own = self._counts[self._place]
        return any(_NONE < count < own for count in self._counts)


def create_counts(file: Path, workers: int) -> None:
    """Make the numbers of all workers, of which none accepts yet.

    Args:
        file: The file behind them.
        workers: Number of workers.
    """
    file.write_bytes(struct.pack(f"{workers}q", *[_NONE] * workers))
