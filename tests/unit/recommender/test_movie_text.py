"""Texts of movies in their vectors: what is near, what is stored, and catalogues without any."""

from pathlib import Path

import numpy as np
import pytest

from marquee.arrays import unit
from marquee.domain.movies import Movie
from marquee.features.movie_text import MovieText
from marquee.features.movie_vector import MovieVectors
from marquee.training.movie_vectors import fit_movie_text, fit_movie_vectors

THEMES = (("звезда корабль космос планета", "Андрей Т."), ("heist police robbery bank", "Mann"))


def movie(movie_id: int, **fields: object) -> Movie:
    return Movie.model_validate({"movie_id": movie_id, "title": f"F{movie_id}", **fields})


def of_theme(movie_id: int, theme: int) -> Movie:
    words = THEMES[theme][0].split()
    chosen = [words[(movie_id + i) % 4] for i in range(3)]
    return movie(
        movie_id,
        overview=f"{' '.join(chosen)} {'abc'[movie_id % 3] * 3}",
        people=[THEMES[theme][1]],
    )


# Films without a text, so that no term is of more than 30 % of them.
MOVIES = [of_theme(i, i % 4) if i % 4 < 2 else movie(i) for i in range(1, 41)]
SUMS = np.zeros((len(MOVIES), 3), np.int64)


@pytest.fixture(scope="module")
def vectors() -> MovieVectors:
    return fit_movie_vectors(MOVIES, SUMS, seed=0)


def test_films_with_words_and_people_in_common_are_near(vectors: MovieVectors) -> None:
    space, crime, other = of_theme(52, 0), of_theme(53, 1), movie(54, people=["андрей  т."])
    rows = vectors.matrix([space, of_theme(55, 0), crime, other], np.zeros((4, 3), np.int64))
    near = unit(rows[:, vectors.blocks["text"]])
    assert near[0] @ near[1] > 0.9
    assert near[0] @ near[2] < 0.2
    assert near[0] @ near[3] > 0.5


def test_a_film_without_a_known_term_has_zeros(vectors: MovieVectors) -> None:
    rows = [movie(60), movie(61, overview="Nothing of this is known", people=["Nobody"])]
    block = vectors.matrix(rows, np.zeros((2, 3), np.int64))[:, vectors.blocks["text"]]
    assert not block.any()


def test_texts_are_stored_and_read(vectors: MovieVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path)
    read = MovieVectors.load(tmp_path)
    assert read.text is not None
    assert read.blocks["text"] == vectors.blocks["text"]
    assert np.array_equal(read.matrix(MOVIES, SUMS), vectors.matrix(MOVIES, SUMS))


def test_a_catalogue_without_texts_has_the_vectors_of_before(tmp_path: Path) -> None:
    movies = [movie(i, genres=["Drama"], tags={"slow": 0.9}) for i in range(1, 6)]
    sums = np.zeros((5, 3), np.int64)
    fitted, before = fit_movie_vectors(movies, sums, seed=0), MovieVectors.fit(movies, sums)
    assert fitted.text is None
    assert np.array_equal(fitted.matrix(movies, sums), before.matrix(movies, sums))
    assert np.array_equal(fitted.column_weights(1.0), before.column_weights(1.0))
    fitted.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["movies_vector.npz"]
    assert MovieText.load(tmp_path) is None


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_texts_give_no_columns(n: int) -> None:
    assert fit_movie_text([of_theme(i, 0) for i in range(1, n + 1)], seed=0) is None


def test_equal_catalogues_give_equal_texts() -> None:
    first, second = (fit_movie_text(MOVIES, seed=3) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.terms == second.terms
    assert np.array_equal(first.components, second.components)
