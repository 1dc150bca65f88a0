"""Likeness: no movie is more like a movie than its copy, and popularity is no part of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.scorers.likeness import CoLikingPredictor, Likeness, NearFloors
from marquee.training.scorers.likeness import FittedLikeness, LikenessConfig, fit_likeness
from marquee_testing import POOR_DATA, checkerboard

pytestmark = pytest.mark.trainer

SMALL = LikenessConfig(co_liking=4, content=4)


def fitted(dataset: Dataset, config: LikenessConfig = SMALL) -> FittedLikeness:
    rows = RatingRows.of(dataset)
    sums = rows.sums(len(dataset.movies))
    vectors = MovieVectors.fit(dataset.movies, sums, min_movies=1)
    matrix = vectors.matrix(dataset.movies, sums)
    return fit_likeness(dataset.movies, vectors, matrix, rows, config, seed=0)


def varied() -> Dataset:
    """Return the checkerboard with titles and genres that tell its movies apart."""
    dataset = checkerboard()
    names = ("Night Train", "Blue River", "Stone Garden", "Last Summer", "Paper Moon", "Iron Gate")
    movies = tuple(
        movie.model_copy(
            update={
                "title": f"{names[i % 6]} {'of the North' if i % 4 == 0 else i // 6 + 1}",
                "year": 1960 + 2 * i,
                "genres": (*movie.genres, *(("Comedy",) if i % 3 == 0 else ())),
            }
        )
        for i, movie in enumerate(dataset.movies)
    )
    return replace(dataset, movies=movies)


def test_no_movie_is_more_like_a_movie_than_an_equal_row() -> None:
    fit = fitted(varied())
    rows = fit.rows(np.zeros(24, bool))
    likenesses = fit.likeness.between(rows, rows)
    assert (likenesses.argmax(axis=1) == np.arange(24)).all()
    assert np.allclose(likenesses, likenesses.T, atol=1e-6)
    for i, row in enumerate(rows):
        assert np.allclose(fit.likeness.to(row, rows), likenesses[i], atol=1e-6)


def test_the_copy_of_a_movie_is_first_though_nobody_rated_it() -> None:
    dataset = varied()
    fit = fitted(dataset)
    rows = fit.rows(np.zeros(24, bool))
    co_liking = CoLikingPredictor(fit.likeness, rows).predict(fit.content, fit.titles)
    copies = fit.likeness.rows(co_liking, fit.content, fit.titles)
    assert (fit.likeness.between(copies, rows).argmax(axis=1) == np.arange(24)).all()
    others = fit.likeness.between(rows, rows)
    np.fill_diagonal(others, -1)
    own = fit.likeness.between(rows, copies).diagonal()
    assert (own > others.max(axis=1)).all()


def test_a_cold_movie_far_from_all_has_a_short_co_liking_vector() -> None:
    fit = fitted(varied())
    rows = fit.rows(np.zeros(24, bool))
    predictor = CoLikingPredictor(fit.likeness, rows)
    copy = predictor.predict(fit.content[:1], fit.titles[:1])
    other = predictor.predict(-fit.content[:1], fit.likeness.titles(["Something Else"]))
    assert np.linalg.norm(copy) > 2 * np.linalg.norm(other)


def test_how_much_and_how_well_a_movie_is_rated_alone_moves_nothing() -> None:
    """Every user's opinion of a movie that all know tells nothing about what it is like."""
    dataset = varied()
    users = np.unique(dataset.user_ids)
    for stars in (10, 2):
        everyone = make_dataset(
            np.concatenate([dataset.user_ids, users]),
            np.concatenate([dataset.movie_ids, np.full(len(users), 900)]),
            np.concatenate([dataset.half_stars, np.full(len(users), stars, np.uint8)]),
            np.concatenate([dataset.times, np.full(len(users), 10**6)]),
            (*dataset.movies, Movie(movie_id=900, title="Famous", genres=("Drama",))),
        )
        fit = fitted(everyone)
        rows = fit.rows(np.zeros(25, bool))
        likenesses = fit.likeness.between(rows, rows)
        ranks = (-likenesses).argsort(axis=1).argsort(axis=1)[:24, 24]
        assert np.median(ranks) > 6


def test_users_who_like_both_make_movies_alike() -> None:
    dataset = checkerboard()
    movies = tuple(
        movie.model_copy(update={"genres": (), "tags": {}, "year": None, "title": f"w{i}x"})
        for i, movie in enumerate(dataset.movies)
    )
    fit = fitted(replace(dataset, movies=movies))
    rows = fit.rows(np.zeros(24, bool))
    likenesses = fit.likeness.between(rows, rows)
    same = np.equal.outer(np.arange(24) % 2, np.arange(24) % 2)
    assert likenesses[same].mean() > likenesses[~same].mean() + 0.2


def test_one_two_hundredth_of_a_catalogue_is_near_and_never_none() -> None:
    generator = np.random.default_rng(0)
    for n, near in ((24, 1), (2000, 10)):
        words = np.zeros(0, np.int64)
        likeness = Likeness(
            np.zeros(0, np.float32), np.eye(4, dtype=np.float32), 4, words,
            np.zeros(0, np.float32), 0.3,
        )  # fmt: skip
        content = generator.normal(size=(n, 4)).astype(np.float32)
        content /= np.linalg.norm(content, axis=1, keepdims=True)
        titles = likeness.titles([f"title{i}x" for i in range(n)])
        rows = likeness.rows(np.zeros((n, 4), np.float32), content, titles)
        floors = NearFloors(likeness, rows).of(rows)
        others = likeness.between(rows, rows) >= floors[:, None] - 1e-6
        np.fill_diagonal(others, False)
        assert (abs(others.sum(axis=1) - near) <= 1).all()


def encoder() -> Likeness:
    """Return an encoder of two co-liking columns and two of content, without title words."""
    none = np.zeros(0, np.float32)
    return Likeness(none, np.eye(2, dtype=np.float32), 2, np.zeros(0, np.int64), none, 0.3)


def test_near_is_near_in_content_too_however_many_like_both() -> None:
    likeness = encoder()
    co_liking = np.array([[1, 0], [1, 0], [1, 0]], np.float32)
    content = np.array([[1, 0], [0.8, 0.6], [0.1, 0.995]], np.float32)
    rows = likeness.rows(co_liking, content, likeness.titles(["Heat", "Up", "Ran"]))
    likenesses = likeness.between(rows[:1], rows)
    assert (likenesses[0, 1:] > 0.3).all()
    vectors, _ = likeness.parts(rows)
    floors = np.array([0.3], np.float32)
    assert likeness.near(likenesses, vectors[:1], vectors, floors).tolist() == [[True, True, False]]
    floors = likenesses[0, :1]
    assert likeness.near(likenesses, vectors[:1], vectors, floors).tolist() == [
        [True, False, False]
    ]


def test_a_shared_word_counts_where_content_agrees_and_a_shared_title_anyway() -> None:
    likeness = encoder()
    titles = likeness.titles(["Nemo Found", "Nemo Lost", "Nemo Lost", "Nemo Found", "Up"])
    content = np.array([[1, 0], [0.8, 0.6], [0.1, 0.995], [0.1, 0.995], [0.1, 0.995]], np.float32)
    rows = likeness.rows(np.zeros((5, 2), np.float32), content, titles)
    vectors, _ = likeness.parts(rows)
    by_titles = likeness.between(rows[:1], rows)[0] - (vectors @ vectors[0]) / 2
    same, alike, other, same_title, no_word = by_titles
    assert same > same_title > alike > 0.1
    assert other < alike / 4
    assert no_word == pytest.approx(0, abs=1e-6)


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    fit = fitted(varied())
    fit.likeness.save(tmp_path)
    again = Likeness.load(tmp_path)
    rows = fit.rows(np.zeros(24, bool))
    titles = [movie.title for movie in varied().movies]
    assert np.array_equal(again.titles(titles), fit.titles)
    assert np.array_equal(again.rows(fit.co_liking, fit.content, fit.titles), rows)


def test_equal_arguments_give_equal_bits() -> None:
    cold = np.arange(24) % 7 == 0
    assert np.array_equal(fitted(varied()).rows(cold), fitted(varied()).rows(cold))


@pytest.mark.parametrize("name", POOR_DATA)
def test_poor_data_give_finite_rows(name: str) -> None:
    fit = fitted(POOR_DATA[name](), LikenessConfig())
    n = len(fit.content)
    for cold in (np.zeros(n, bool), np.ones(n, bool)):
        rows = fit.rows(cold)
        assert np.isfinite(rows).all()
        assert np.isfinite(NearFloors(fit.likeness, rows).of(rows)).all()
