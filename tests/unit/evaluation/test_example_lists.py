"""Examples of lists: what their file may say, and what counts as expected."""

from pathlib import Path

import pytest

from marquee.domain.movies import Movie
from marquee.errors import DataError
from trainer.evaluation.lists.examples import Catalogue, Examples, Expected, Session

HEAT = Movie(movie_id=1, title="Heat", year=1995, genres=("Action", "Crime"))
UP = Movie(movie_id=2, title="Up", year=2009, genres=("Animation",))


def test_a_movie_is_expected_by_genre_or_by_title_and_year() -> None:
    expected = Expected(genres=frozenset({"Crime"}), movies=("Up (2009)",))
    assert expected.share_of([HEAT, UP]) == 1
    assert Expected(genres=frozenset({"Crime"})).share_of([HEAT, UP]) == 0.5
    assert Expected(movies=("Up (2008)",)).share_of([UP]) == 0


@pytest.mark.parametrize(
    ("session", "route"),
    [
        (Session(viewed=("Up (2009)",)), "similar"),
        (Session(rated={"Up (2009)": 5}), "hybrid"),
        (Session(rated={f"{i}": 4.5 for i in range(5)}), "user-cluster"),
        (Session(rated={f"{i}": 2 for i in range(5)}), "hybrid"),
    ],
)
def test_a_session_takes_the_route_that_the_gateway_takes(session: Session, route: str) -> None:
    assert session.route == route


def test_a_movie_that_is_not_in_the_data_is_named() -> None:
    catalogue = Catalogue([HEAT, UP])
    assert catalogue.row("Up (2009)") == 1
    with pytest.raises(DataError, match=r"no film Up \(2008\)"):
        catalogue.row("Up (2008)")


@pytest.mark.parametrize(
    "text", ["movies: [", "movies: {}", "movies: {a: {kind: x}}\nsessions: {}"]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lists.yaml"
    file.write_text(text)
    with pytest.raises(DataError, match=r"lists\.yaml"):
        Examples.read(file)
