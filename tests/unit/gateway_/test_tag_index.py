"""Which movies carry a tag."""

import pytest

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.catalogue.tag_index import MIN_RELEVANCE, TagIndex, fold_tag
from marquee.domain.movies import Movie


@pytest.mark.parametrize("tag", ["heist movie", "HEIST  Movie", " Heist\tmovie "])
def test_a_tag_is_the_same_in_whatever_case_and_spacing(tag: str) -> None:
    assert fold_tag(tag) == "heist movie"
    assert list(TagIndex([(7, {"Heist Movie": 0.9})]).movies(tag)) == [7]


def test_german_and_turkish_letters_fold_too() -> None:
    assert list(TagIndex([(7, {"Straße": 1.0})]).movies("STRASSE")) == [7]


def test_a_movie_carries_a_tag_from_some_relevance_on() -> None:
    index = TagIndex([(1, {"slow": MIN_RELEVANCE}), (2, {"slow": MIN_RELEVANCE - 0.01}), (3, {})])
    assert list(index.movies("slow")) == [1]
    assert list(index.movies("unknown")) == []


def test_a_tag_in_two_spellings_counts_once() -> None:
    index = TagIndex([(1, {"Slow": 0.9, "slow": 0.8})])
    assert list(index.movies("slow")) == [1]
    index.remove(1, {"Slow": 0.9, "slow": 0.8})
    assert list(index.movies("slow")) == []


def test_the_catalogue_finds_movies_by_the_tags_that_they_have_now() -> None:
    movie = Movie(movie_id=1, title="Heat", tags={"heist": 0.9, "slow": 0.5})
    catalogue = Catalogue([Row.of(movie)])
    catalogue.put(Row.of(Movie(movie_id=2, title="Rififi", tags={"Heist": 1.0})))
    assert list(catalogue.tagged("HEIST")) == [1, 2]
    catalogue.put(Row.of(movie.model_copy(update={"tags": {"slow": 0.5}})))
    assert (list(catalogue.tagged("heist")), list(catalogue.tagged("slow"))) == ([2], [1])
    catalogue.remove(2)
    assert list(catalogue.tagged("heist")) == []
    catalogue.replace([Row.of(movie)])
    assert list(catalogue.tagged("heist")) == [1]


@pytest.mark.parametrize(("tag", "allowed"), [("HEIST", True), ("slow", False), ("new", False)])
def test_a_row_and_the_index_agree(tag: str, allowed: bool) -> None:
    row = Row.of(Movie(movie_id=1, title="Heat", tags={"Heist": 0.9, "slow": 0.1}))
    assert MovieFilter(tag=tag).allows(row) is allowed
    assert (1 in Catalogue([row]).tagged(tag)) is allowed
