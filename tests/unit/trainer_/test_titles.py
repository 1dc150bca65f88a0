"""Titles of MovieLens in the form that the catalogue shows."""

import pytest

from trainer.datasets.columns.titles import split_title


@pytest.mark.parametrize(
    ("text", "title", "year"),
    [
        ("Toy Story (1995)", "Toy Story", 1995),
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Beautiful Mind, A (2001) ", "A Beautiful Mind", 2001),
        ("Avventura, L' (1960)", "L'Avventura", 1960),
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            "The City of Lost Children (La Cité des enfants perdus)",
            1995,
        ),
        (
            "Seven (a.k.a. Seventh Sign, The) (1995)",
            "Seven (a.k.a. The Seventh Sign)",
            1995,
        ),
        ("Death Note: Desu nôto (2006–2007)", "Death Note: Desu nôto", 2006),
        ("The Big Bang Theory (2007-)", "The Big Bang Theory", 2007),
        ("Skokie\u00a0(1981)", "Skokie", 1981),
        ("Deadly Advice(1994)", "Deadly Advice", 1994),
        ("Babylon 5", "Babylon 5", None),
        ("Millions Game, The (Das Millionenspiel)", "The Millions Game (Das Millionenspiel)", None),
        ("Good, the Bad and the Ugly, The (1966)", "The Good, the Bad and the Ugly", 1966),
        ("Girl, Interrupted (1999)", "Girl, Interrupted", 1999),
        ("2001 (1968)", "2001", 1968),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        ("Room (9999)", "Room (9999)", None),
        ("(1995)", "(1995)", None),
    ],
)
def test_a_title_is_split_from_its_year(text: str, title: str, year: int | None) -> None:
    assert split_title(text) == (title, year)
