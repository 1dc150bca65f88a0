"""Named blocks of columns in a row of numbers."""

from collections.abc import Iterator, Mapping

from marquee.arrays import Matrix, Vector


class RowLayout(Mapping[str, slice]):
    """Blocks of columns, side by side, by name and in the order given.

    A layout reads any array whose last axis is a row: one row, or n rows.
    """

    def __init__(self, **widths: int) -> None:
        """Lay out blocks of these widths; a width may be 0."""
        self._blocks: dict[str, slice] = {}
        self.width = 0
        for name, width in widths.items():
            self._blocks[name] = slice(self.width, self.width + width)
            self.width += width

    def __getitem__(self, name: str) -> slice:
        return self._blocks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def start(self, name: str) -> int:
        """Return the first column of a block: the column itself where the block has just one."""
        return int(self._blocks[name].start)

    def before(self, name: str) -> slice:
        """Return all columns that precede a block."""
        return slice(0, self.start(name))

    def block(self, rows: Matrix, name: str) -> Matrix:
        """Return a view of a block's columns."""
        view: Matrix = rows[..., self._blocks[name]]
        return view

    def column(self, rows: Matrix, name: str) -> Vector:
        """Return a view of the first column of a block, one number a row."""
        view: Vector = rows[..., self.start(name)]
        return view
