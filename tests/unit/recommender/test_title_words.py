"""Words of titles, and the overlap of titles that share some."""

import numpy as np
import pytest

from marquee.features.title_words import SLOTS, lead_words, title_words, word_ids
from marquee.scoring.scorers.likeness import Likeness
from marquee.scoring.scorers.title_overlap import (
    TITLE_LAYOUT,
    TitleIndex,
    own_overlap,
    title_overlaps,
)


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("The Matrix Reloaded", ("matrix", "reloaded")),
        ("Star Wars: Episode IV - A New Hope", ("star", "war", "new", "hope")),
        ("Alien³ (a.k.a. Alien 3)", ("alien",)),
        ("Aliens", ("alien",)),
        ("Ocean's Eleven (a.k.a. Ocean's 11)", ("ocean", "eleven")),
        ("X-Men: The Last Stand", ("xmen", "last", "stand")),
        ("Rocky III", ("rocky",)),
        ("Amelie (Le Fabuleux destin d'Amélie Poulain)", None),
        ("Friday the 13th Part VIII", ("friday",)),
        ("300", ("300",)),
        ("[REC]²", ("rec",)),
        ("?", ("?",)),
    ],
)
def test_words_are_those_that_movies_of_a_series_share(title, words):
    found = title_words(title)
    assert found == (words or ("amelie", "fabuleux", "destin", "damelie", "poulain"))


@pytest.mark.parametrize(
    ("title", "lead"),
    [
        ("Alien: Covenant", ("alien",)),
        ("Alien³ (a.k.a. Alien 3)", ("alien",)),
        ("Alien Nation", ("alien", "nation")),
        ("Toy Story 2", ("toy", "story")),
        ("Terminator 2: Judgment Day", ("terminator",)),
        ("2 Fast 2 Furious (Fast and the Furious 2, The)", ("fast", "furiou")),
        ("Harry Potter and the Goblet of Fire", ("harry", "potter")),
        ("X-Men: Apocalypse", ("xmen",)),
        ("I, Robot", ("robot",)),
        ("300", ("300",)),
        ("?", ("?",)),
    ],
)
def test_the_lead_ends_where_a_subtitle_or_the_number_of_a_part_begins(title, lead):
    assert lead_words(title) == lead


@pytest.mark.parametrize(
    ("title", "other", "share"),
    [
        ("Die Hard", "Live Free or Die Hard", True),
        ("Rogue One: A Star Wars Story", "Star Wars: The Last Jedi", True),
        ("Alien", "Alien: Covenant", True),
        ("Good Will Hunting", "For a Good Time, Call...", False),
        ("My Cousin Vinny", "My Giant", False),
        ("Life Is Beautiful (La Vita è bella)", "Bella", False),
    ],
)
def test_titles_share_leads_pairs_and_words_that_are_rare_in_english(title, other, share):
    ids = set(word_ids(title)) & set(word_ids(other)) - {0.0}
    assert bool(ids) == share


def test_ids_are_whole_numbers_that_float32_holds_and_fill_the_slots():
    ids = word_ids("The Lord of the Rings: The Fellowship of the Ring and so much more than this")
    assert ids.shape == (SLOTS,)
    assert (ids == np.rint(ids)).all()
    assert ids.min() > 0
    assert ids.max() <= 2**24
    assert np.count_nonzero(word_ids("Rocky")) == 2


def titles(*names: str) -> np.ndarray:
    none = np.zeros((0, 0), np.float32)
    words = np.array([], np.int64)
    encoder = Likeness(np.zeros(0, np.float32), none, 1, words, np.zeros(0, np.float32), 0.3)
    return encoder.titles(list(names))


def test_a_title_overlaps_most_with_itself():
    rows = titles("Toy Story", "Toy Story 2", "Toy Soldiers", "The Story of Us", "Heat")
    overlaps = title_overlaps(rows[:1], rows)[0]
    assert overlaps[0] == overlaps[1] == own_overlap(rows)[0]
    assert overlaps[1] > overlaps[2] > overlaps[3] > overlaps[4] == 0


def test_the_index_gives_the_overlaps_that_the_scan_gives():
    rows = titles("Alien", "Aliens", "Alien Nation", "Nation", "Up", "Heat", "Red Heat", "Alien 3")
    assert np.array_equal(TitleIndex(rows).overlaps(rows), title_overlaps(rows, rows))


def test_movies_are_compared_with_none_without_fault():
    rows = titles("Alien", "Heat")
    nothing = np.zeros((0, TITLE_LAYOUT.width), np.float32)
    assert TitleIndex(nothing).overlaps(rows).shape == (2, 0)
    assert title_overlaps(rows, nothing).shape == (2, 0)
