"""Optional fields of films: JSON, versions of data, changes, languages."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.catalogue.catalogue import Row
from marquee.domain.movie_fields import FIELD_NAMES, speaks
from marquee.domain.movies import ALWAYS_PRESENT, CLEARABLE, Movie
from marquee.domain.texts import Text
from marquee.events import MovieChange, MovieUpdated, decode
from marquee.features.dataset import Dataset, make_dataset

FIELDS = st.fixed_dictionaries({}, optional={
    "runtime": st.integers(1, 6000),
    "language": st.sampled_from(["ru", "pt-BR", "cn"]),
    "certificate": st.sampled_from(["16+", "PG-13"]),
    "overview": st.text(max_size=20).filter(Text(5000, lines=True).allows),
    "poster_url": st.just("https://example.org/p.jpg"),
    "links": st.fixed_dictionaries({}, optional={"imdb": st.just("tt0113277"),
                                                 "tmdb": st.integers(1, 9)}),
    "people": st.lists(st.sampled_from(["Ann", "Боб"]), max_size=2, unique=True),
    "keywords": st.lists(st.just("heist"), max_size=1),
    "moods": st.lists(st.just("dark"), max_size=1),
})  # fmt: skip
BEFORE = "c19873c1ae80f11fafebfd20b3fc7f6acdbeaf6ea1e34ed5b4074867ce4c11ad"


def data_of(*movies: Movie) -> Dataset:
    return make_dataset(
        np.array([1, 2]), np.array([1, 2]), np.array([9, 3]), np.array([5, 6]), movies
    )


@given(FIELDS)
def test_a_film_reads_as_it_was_written_and_absent_fields_are_not(
    fields: dict[str, object],
) -> None:
    movie = Movie.model_validate({"movie_id": 1, "title": "Heat", **fields})
    text = movie.model_dump_json()
    assert Movie.model_validate_json(text) == movie
    assert movie.present_fields() == fields
    assert Row.parse(text.encode()) == Row.of(movie)
    change = MovieChange.model_validate({"movie_id": 1, **fields})
    assert set(change.model_dump()) - {"movie_id", "title", "year", "genres", "tags"} == set(fields)
    assert change.apply(Movie(movie_id=1, title="Heat")) == movie


@given(FIELDS, FIELDS, st.sets(st.sampled_from(sorted(CLEARABLE))))
def test_a_change_merges_into_a_film_and_its_cleared_fields_are_gone(
    before: dict[str, object], replaced: dict[str, object], cleared: set[str]
) -> None:
    replaced = {name: value for name, value in replaced.items() if name not in cleared}
    movie = Movie.model_validate({"movie_id": 1, "title": "Heat", "year": 1995, **before})
    event = MovieUpdated(data={"movie_id": 1, "cleared": [*cleared, "of_later"], **replaced})
    read = decode(event.encode())
    assert read == event
    changed = event.data.apply(movie)
    merged = movie.model_dump(mode="json") | replaced
    expected = {name: value for name, value in merged.items() if name not in cleared}
    assert changed == Movie.model_validate(expected)
    assert changed.present_fields().keys() == {*before, *replaced} - cleared
    assert event.data.apply(changed) == changed


def test_a_change_that_clears_nothing_has_the_json_of_before() -> None:
    change = json.loads(MovieUpdated(data={"movie_id": 1, "year": 1995}).encode())["data"]
    assert change == {"movie_id": 1, "title": None, "year": 1995, "genres": None, "tags": None}
    assert MovieChange.model_validate(change).apply(Movie(movie_id=1, title="Heat")).year == 1995


@pytest.mark.parametrize("name", sorted(ALWAYS_PRESENT))
def test_what_a_film_always_has_is_not_cleared(name: str) -> None:
    with pytest.raises(ValidationError, match=f"a film always has {name}"):
        MovieChange.model_validate({"movie_id": 1, "cleared": ["runtime", name]})


def test_a_field_is_replaced_or_cleared_and_not_both() -> None:
    with pytest.raises(ValidationError, match="runtime is replaced and cleared"):
        MovieChange.model_validate({"movie_id": 1, "cleared": ["runtime"], "runtime": 90})


def test_a_film_without_optional_fields_has_the_json_of_before() -> None:
    movie = Movie(movie_id=1, title="Heat", year=1995, genres=("Crime",), tags={"heist": 0.9})
    assert movie.model_dump_json() == (
        '{"movie_id":1,"title":"Heat","year":1995,"genres":["Crime"],"tags":{"heist":0.9}}'
    )
    assert not FIELD_NAMES & set(movie.model_dump())


def test_the_version_of_data_without_optional_fields_is_that_of_before() -> None:
    tags = {"heist": 0.9, "b": 0.5}
    heat = Movie(movie_id=1, title="Heat", year=1995, genres=("Crime", "Action"), tags=tags)
    other = Movie(movie_id=2, title="Ёлки")
    version = data_of(heat, other).version
    assert version == BEFORE
    assert data_of(heat, other.model_copy(update={"runtime": 90})).version != version


@pytest.mark.parametrize(
    ("language", "wanted", "expected"),
    [
        ("ru", "ru", True),
        ("RU", "ru", True),
        ("pt-BR", "pt", True),
        ("pt", "pt-BR", False),
        ("ptx", "pt", False),
        (None, "ru", False),
    ],
)
def test_a_variety_of_a_language_is_that_language(
    language: str | None, wanted: str, expected: bool
) -> None:
    assert speaks(language, wanted) is expected
