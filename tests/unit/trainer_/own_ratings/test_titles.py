"""Keys of titles: what is one title in two spellings, and what is not."""

import pytest

from trainer.own_ratings.titles import title_keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Matrix, The", "The Matrix"),
        ("Misérables, Les", "les miserables"),
        ("Avventura, L'", "L’Avventura"),
        ("Bicicleta verde, Las", "Las bicicleta verde"),
        ("Blechtrommel, Die", "DIE BLECHTROMMEL"),
        ("City of Lost Children, The (Cité des enfants perdus, La)", "La Cite des Enfants Perdus"),
        ("Seven (a.k.a. Se7en)", "Se7en"),
        ("Seven (a.k.a. Se7en)", "Seven"),
        ("Léon: The Professional (a.k.a. The Professional) (Léon)", "Leon"),
        ("Fast & Furious", "Fast and Furious"),
        ("Romeo + Juliet", "Romeo & Juliet"),
        ("Rocky II", "Rocky 2"),
        ("The Godfather: Part Two", "The Godfather Part II"),
        ("Kill Bill: Vol. 1", "Kill Bill - Volume 1"),
        ("Alien³ (a.k.a. Alien 3)", "Alien 3"),
        ("8½ (8 1/2)", "8½"),
        ("WALL·E", "Wall-E"),
        ("Spider-Man", "Spiderman"),
        ("Smørrebrød", "Smorrebrod"),
        ("Schindler's List", "Schindlers List"),
    ],
)
def test_spellings_of_one_title_share_a_key(one: str, other: str) -> None:
    assert title_keys(one) & title_keys(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Ring", "Ring"),
        ("It (Part 1)", "It"),
        ("(500) Days of Summer", "500"),
        ("(500) Days of Summer", "Days of Summer"),
        ("Rocky II", "Rocky III"),
        ("Alien: Covenant", "Alien"),
        ("I", "1"),
        ("Die Hard", "Hard"),
        ("???", "!!!"),
        ("Сталкер", "Солярис"),
    ],
)
def test_different_titles_share_none(one: str, other: str) -> None:
    assert not title_keys(one) & title_keys(other)


@pytest.mark.parametrize("title", ["???", "", "羅生門", "(", ")(", ", The"])
def test_every_title_has_a_key(title: str) -> None:
    assert title_keys(title)
