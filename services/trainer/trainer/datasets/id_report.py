"""What a report of an import tells of ids that are strings."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from marquee.domain.ids import string_of
from marquee.features.dataset import Dataset

_FEW = 0.05
"""Share of strings among whole numbers that rather are mistakes."""
_DECIMAL = re.compile(r"[0-9]+\.0+")


class _Kind(NamedTuple):
    """The ids of users or of films: how many, and those that are strings."""

    name: str
    total: int
    strings: list[str]

    def example(self, text: str) -> str:
        """Return an id as a report may show it: of a user, who may be a person, its form alone."""
        return repr(text if self.name == "films" else _form(text))


def id_lines(dataset: Dataset) -> list[str]:
    """Return how many ids are strings, a line for users and one for films that have some."""
    return [
        f"ids of {kind.name}: {len(kind.strings):,} of {kind.total:,} are strings, as"
        f" {kind.example(kind.strings[0])}"
        for kind in _kinds(dataset)
    ]


def id_warnings(dataset: Dataset) -> list[str]:
    """Return what strings rather are other ids than the user thinks.

    They are quoted, those of users too: who is to mend the file has to find them.
    """
    warnings = []
    for name, total, strings in _kinds(dataset):
        decimal = next((text for text in strings if _DECIMAL.fullmatch(text)), None)
        if decimal is not None:
            whole = decimal.split(".")[0]
            warnings.append(
                f"ids of {name} as {decimal!r} are strings, other ids than {whole}: write whole"
                " numbers without a decimal point"
            )
        elif len(strings) <= _FEW * total:
            warnings.append(
                f"ids of {name} are whole numbers, but for {len(strings):,} of {total:,}, as"
                f" {strings[0]!r}: strings are ids too; if they are mistakes, mend the file"
            )
    return warnings


def _form(text: str) -> str:
    """Return a text with `a` for each letter and `0` for each digit."""
    return "".join("0" if c.isdigit() else "a" if c.isalpha() else c for c in text)


def _kinds(dataset: Dataset) -> Iterator[_Kind]:
    """Yield the kinds of which some ids are strings."""
    films = [text for movie in dataset.movies if (text := string_of(movie.movie_id))]
    if films:
        yield _Kind("films", len(dataset.movies), films)
    if dataset.user_texts:
        total = len(pd.unique(dataset.user_ids))
        yield _Kind("users", total, list(dataset.user_texts.values()))
