"""Lists to look at: the page and the examples belong together, and what is expected is there."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from trainer.datasets.reader import read_dataset
from trainer.evaluation.lists.examples import Examples, Expected
from trainer.evaluation.lists.lists import LIST_SIZE, Item, ListMaker, Lists
from trainer.models.parameters import TrainingParameters

pytestmark = [pytest.mark.trainer, pytest.mark.slow, pytest.mark.timeout(900)]

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
EXAMPLES = Examples.read(FOLDER / "lists.yaml")
PAGE = ROOT / "docs" / "explanation" / "lists.md"


@pytest.fixture(scope="module")
def maker() -> ListMaker:
    dataset, _ = read_dataset(ROOT / "data" / "ml-latest-small.zip")
    return ListMaker(dataset, TrainingParameters(), diversity=0.05)


@pytest.fixture(scope="module")
def similar(maker: ListMaker) -> Lists:
    return maker.similar(EXAMPLES)


@pytest.fixture(scope="module")
def sessions(maker: ListMaker) -> Lists:
    return maker.sessions(EXAMPLES)


def test_there_are_twenty_movies_and_ten_sessions_at_least() -> None:
    assert len(EXAMPLES.movies) >= 20
    assert len(EXAMPLES.sessions) >= 10


def test_the_page_has_the_lists_of_the_examples_and_no_others() -> None:
    headings = [line[4:] for line in PAGE.read_text().splitlines() if line.startswith("### ")]
    assert headings == [*EXAMPLES.movies, *EXAMPLES.sessions]


def examples(expected: Mapping[str, Expected]) -> list[ParameterSet]:
    """Return the names; a list that is known to be bad has to fail, until its file says better."""
    known = pytest.mark.xfail(reason="a known fault", strict=True)
    return [pytest.param(name, marks=() if one.is_met else known) for name, one in expected.items()]


@pytest.mark.parametrize("name", examples(EXAMPLES.movies))
def test_similar_movies_are_of_the_expected_kind(name: str, similar: Lists) -> None:
    check(similar[name], EXAMPLES.movies[name])


@pytest.mark.parametrize("name", examples(EXAMPLES.sessions))
def test_a_session_gets_what_is_expected(name: str, sessions: Lists) -> None:
    check(sessions[name], EXAMPLES.sessions[name])


def test_finding_nemo_gives_no_film_that_shares_a_word_alone(similar: Lists) -> None:
    titles = [item.movie.title for item in similar["Finding Nemo (2003)"]]
    assert "Finding Dory" in titles
    assert "Finding Neverland" not in titles


def check(items: list[Item], expected: Expected) -> None:
    assert len(items) == LIST_SIZE
    assert expected.share_of([item.movie for item in items]) >= expected.share
