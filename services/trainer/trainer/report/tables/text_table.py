"""A table as text, for the terminal, Markdown and HTML alike."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """A table as text."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
