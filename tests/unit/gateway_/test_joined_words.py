"""Titles are found by words that a mark joins, written together, apart or with the mark."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.title_index import EXACT, TitleIndex, fold_title

TITLES = ["Spider-Man", "WALL·E", "X-Men: The Last Stand", "Face/Off", "L.A. Confidential",
          "Spiderman Returns", "Wallenberg", "Ocean's Eleven", "Matrix-Man, The"]  # fmt: skip


def index() -> TitleIndex:
    return TitleIndex((i, title, 2000) for i, title in enumerate(TITLES))


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("spiderman", {"Spider-Man", "Spiderman Returns"}),
        ("spider-man", {"Spider-Man", "Spiderman Returns"}),
        ("spider man", {"Spider-Man"}),
        ("walle", {"WALL·E", "Wallenberg"}),
        ("wall e", {"WALL·E"}),
        ("XMEN last", {"X-Men: The Last Stand"}),
        ("faceoff 2000", {"Face/Off"}),
        ("la confidential", {"L.A. Confidential"}),
        ("oceans", {"Ocean's Eleven"}),
        ("matrixman", {"Matrix-Man, The"}),
    ],
)
def test_joined_words_are_found(query: str, titles: set[str]) -> None:
    assert {TITLES[i] for i in index().search(query)} == titles


def test_a_title_written_together_is_the_title() -> None:
    found = index().search("walle")
    assert found[TITLES.index("WALL·E")] == EXACT
    assert found[TITLES.index("Wallenberg")] != EXACT


TITLE = st.text(st.sampled_from("abЁ1 -·'./"), max_size=30)


@given(st.lists(TITLE, max_size=6), TITLE)
def test_an_index_that_was_changed_is_the_one_that_was_made(titles: list[str], gone: str) -> None:
    made = TitleIndex((i, title, None) for i, title in enumerate(titles))
    changed = TitleIndex([(99, gone, 1999)])
    for i, title in enumerate(titles):
        changed.put(i, title, None)
    changed.remove(99, gone, 1999)
    for title in [*titles, gone]:
        for query in (title, re.sub(r"[-·'./]", "", title), fold_title(title)):
            assert changed.search(query) == made.search(query)
    for i, title in enumerate(titles):
        if fold_title(title):
            assert i in made.search(title)
            assert i in made.search(re.sub(r"[-·'./]", "", title))


@given(st.lists(TITLE, max_size=6))
def test_the_index_has_at_most_twice_the_characters_of_titles(titles: list[str]) -> None:
    made = TitleIndex((i, title, None) for i, title in enumerate(titles))
    indexed = [*made._words._movies.items(), *made._joined._movies.items()]
    size = sum(len(word) * len(movies) for word, movies in indexed)
    assert size <= 2 * sum(len(fold_title(title)) for title in titles)
