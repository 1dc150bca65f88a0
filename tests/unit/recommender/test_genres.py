"""Genres of any catalogue: names, masks of a process, packed rows, columns of vectors."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from marquee.domain.genres import (
    GENRES,
    MAX_GENRES,
    GenreVocabulary,
    catalogue_genres,
    distinct_genres,
    genre_key,
    multi_hot,
)
from marquee.domain.movies import Movie
from marquee.domain.recommendation import RecommendRequest, Route
from marquee.events import MovieAdded, decode
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.candidates import candidates
from marquee.store.codec import DerivedMovieRow

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1,
                max_size=40)  # fmt: skip
FILMS = st.lists(st.lists(NAMES, max_size=4).map(distinct_genres), max_size=12)
OLD_ROW = bytes.fromhex("81000000cf07ffff0000803f00000040")
"""Action and Drama, 1999, no cluster, vector 1, 2, as packed before there were other genres."""


def film(movie_id: int, *genres: str, year: int | None = None) -> Movie:
    return Movie(movie_id=movie_id, title=f"F{movie_id}", year=year, genres=genres)


def table_of(*movies: Movie) -> MovieTable:
    empty = np.zeros((len(movies), 1), np.float32)
    return MovieTable.of(movies, empty, np.zeros(len(movies), np.int16))


def with_genres(movies: MovieTable, *genres: str) -> set[int]:
    request = RecommendRequest(route=Route.HYBRID, genres=genres)
    return set(movies.movie_ids[candidates(request, movies)].tolist())


@given(FILMS)
def test_a_mask_holds_the_genres_of_its_film(films: list[tuple[str, ...]]) -> None:
    vocabulary = GenreVocabulary(())
    masks = [vocabulary.add(genres) for genres in films]
    for mask, genres in zip(masks, films, strict=True):
        assert {*map(genre_key, vocabulary.names_in(mask))} == {*map(genre_key, genres)}
    flags = vocabulary.matrix(np.array(masks, np.uint64), vocabulary.names)
    assert np.array_equal(flags, multi_hot(films, vocabulary.names))


@given(FILMS)
def test_the_vocabulary_of_a_catalogue_has_every_genre_once(films: list[tuple[str, ...]]) -> None:
    names = catalogue_genres(films)
    keys = [*map(genre_key, names)]
    assert len(set(keys)) == len(keys) <= MAX_GENRES
    assert {genre_key(name) for genres in films for name in genres} <= {*keys}
    assert names == catalogue_genres(reversed(films))


def test_a_catalogue_of_the_nineteen_keeps_their_order() -> None:
    assert catalogue_genres([("Western", "Action"), ()]) == GENRES
    assert catalogue_genres([]) == GENRES
    assert catalogue_genres([("Drama",), ("Мюзикл",)]) == ("Drama", "Мюзикл")


def test_the_most_frequent_spelling_is_the_name() -> None:
    assert catalogue_genres([("драма",), ("Драма",), ("Драма", "КОМЕДИЯ")]) == ("Драма", "КОМЕДИЯ")


@given(st.lists(NAMES, max_size=6).map(distinct_genres), st.integers(0, 2200), st.binary())
def test_a_packed_row_is_read_as_it_was(genres: tuple[str, ...], year: int, data: bytes) -> None:
    vector = np.frombuffer(data[: len(data) // 4 * 4], "<i4").astype(np.float32)
    row = DerivedMovieRow.unpack(DerivedMovieRow(genres, year, 3, vector).pack())
    assert (set(row.genres), row.year, row.cluster) == (set(genres), year, 3)
    assert np.array_equal(row.vector, vector)


@given(st.lists(st.sampled_from(GENRES), unique=True))
def test_rows_of_the_nineteen_are_packed_in_the_form_of_before(genres: list[str]) -> None:
    packed = DerivedMovieRow(tuple(genres), 1999, -1, np.array([1, 2], np.float32)).pack()
    mask = sum(1 << GENRES.index(name) for name in genres)
    assert packed == mask.to_bytes(4, "little") + OLD_ROW[4:]


def test_a_row_that_was_packed_before_is_read() -> None:
    row = DerivedMovieRow.unpack(OLD_ROW)
    assert (row.genres, row.year, row.cluster) == (("Action", "Drama"), 1999, -1)
    assert row.vector.tolist() == [1, 2]


def test_a_new_genre_filters_at_once_in_whatever_case() -> None:
    movies = table_of(film(1, "Drama"), film(2, "Comedy"))
    assert with_genres(movies, "Драма") == set()
    row = DerivedMovieRow(("Драма", "drama"), 2001, 0, np.ones(1, np.float32)).pack()
    unpacked = DerivedMovieRow.unpack(row)
    movies.put(3, unpacked.genres, unpacked.year, unpacked.vector, unpacked.cluster)
    assert with_genres(movies, "ДРАМА") == {3}
    assert with_genres(movies, "DRAMA") == {1, 3}
    assert with_genres(movies, "Драма", "Comedy") == {2, 3}
    assert movies.genre_names(2) == ("Drama", "Драма")


def test_genres_that_no_film_has_any_more_make_room_for_new_ones() -> None:
    movies = table_of(*(film(i, f"жанр {i}") for i in range(1, MAX_GENRES + 1)))
    vector = np.ones(1, np.float32)
    movies.put(100, ("лишний",), None, vector, 0)
    assert with_genres(movies, "лишний") == set()
    movies.remove(7)
    movies.put(8, ("жанр 9",), None, vector, 0)
    movies.put(101, ("новый", "жанр 9"), None, vector, 0)
    assert with_genres(movies, "новый") == {101}
    assert with_genres(movies, "жанр 9") == {8, 9, 101}
    assert with_genres(movies, "жанр 7") == set()


def test_a_table_is_stored_as_before_where_all_genres_are_of_the_nineteen() -> None:
    old = table_of(film(1, "Action", "Western")).arrays()
    assert "genre_names" not in old
    assert old["genres"].dtype == np.uint32
    assert old["genres"].tolist() == [1 | 1 << 18]
    new = table_of(film(1, "Драма"), film(2, "Action"))
    read = MovieTable.from_arrays(new.arrays())
    assert with_genres(read, "драма") == {1}
    assert with_genres(MovieTable.from_arrays(old), "western") == {1}


def test_vectors_have_the_columns_of_the_training(tmp_path: Path) -> None:
    movies = [film(1, "Драма"), film(2, "Комедия", "Драма"), film(3, "Боевик")]
    vectors = MovieVectors.fit(movies, np.zeros((3, 3), np.int64))
    assert vectors.genres == ("Боевик", "Драма", "Комедия")
    vectors.save(tmp_path)
    read = MovieVectors.load(tmp_path)
    block = read.vector(film(4, "драма", "Вестерн"))[read.blocks["genres"]]
    assert block.tolist() == [0, 1, 0]


def test_vectors_of_the_nineteen_are_stored_as_before(tmp_path: Path) -> None:
    MovieVectors.fit([film(1, "Drama")], np.zeros((1, 3), np.int64)).save(tmp_path)
    with np.load(tmp_path / "movies_vector.npz") as arrays:
        assert set(arrays) == {"tags", "mean_rating"}
    assert MovieVectors.load(tmp_path).genres == GENRES


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\nb", "a\x00"])
def test_what_is_no_name_of_a_genre_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        film(1, name)


def test_a_film_keeps_each_genre_once_and_trimmed() -> None:
    assert film(1, " Драма", "драма", "Film  Noir", "film noir").genres == ("Драма", "Film  Noir")


def test_an_event_with_another_genre_is_read() -> None:
    message = '{"type":"movie.added","data":{"movie_id":1,"title":"Ёлки","genres":["Комедия"]}}'
    event = decode(message.encode())
    assert isinstance(event, MovieAdded)
    assert event.data.genres == ("Комедия",)
