"""The gateway's catalogue, its search and its own popular list."""

import pytest

from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.catalogue.popularity import PopularList
from gateway.catalogue.title_index import fold_title, spoken_title
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.recommendation import Reason
from marquee.features.popularity import MovieSums

MOVIES = [
    Movie(movie_id=1, title="Matrix, The", year=1999, genres=("Action", "Sci-Fi")),
    Movie(movie_id=2, title="Matrix Reloaded, The", year=2003, genres=("Action",)),
    Movie(movie_id=3, title="Amélie", year=2001, genres=("Comedy", "Romance")),
    Movie(movie_id=4, title="Animatrix, The", year=2003, genres=("Animation",)),
    Movie(movie_id=5, title="Heat", year=1995, genres=("Action", "Crime"), tags={"Heist": 0.9}),
    Movie(movie_id=6, title="Body Heat", year=None, genres=("Crime",), tags={"heist": 0.1}),
]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(map(Row.of, MOVIES))


def test_folding_takes_away_case_accents_and_punctuation():
    assert fold_title("  L'Été, À  Paris! ") == "l ete a paris"


def test_an_article_that_stands_last_is_read_first():
    assert spoken_title("Matrix, The") == "the matrix"
    assert spoken_title("Good, the Bad and the Ugly, The") == "the good the bad and the ugly"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("matrix", {1: 2, 2: 2}),
        ("MATR", {1: 3, 2: 3}),
        ("the matrix", {1: 0, 2: 1}),
        ("matrix 2003", {2: 2}),
        ("amelie", {3: 0}),
        ("heat", {5: 0, 6: 2}),
        ("heat body", {6: 2}),
        ("zzz", {}),
        ("...", {}),
    ],
)
def test_titles_are_found_by_words_and_their_beginnings(catalogue, query, expected):
    assert catalogue.search(query) == expected


def test_a_changed_title_is_found_by_its_new_words_only(catalogue):
    catalogue.put(Row.of(MOVIES[4].model_copy(update={"title": "Cold"})))
    assert catalogue.search("heat") == {6: 2}
    assert catalogue.search("cold") == {5: 0}


def test_a_removed_movie_is_gone_everywhere(catalogue):
    catalogue.remove(5)
    catalogue.remove(5)
    assert catalogue.get(5) is None
    assert catalogue.search("heat") == {6: 2}
    assert catalogue.genres.counts()["Crime"] == 1
    assert len(catalogue) == 5


def test_genres_are_counted_by_name_in_their_most_frequent_spelling(catalogue):
    catalogue.put(Row.of(Movie(movie_id=7, title="Ёлки", genres=("комедия", "action"))))
    assert catalogue.genres.counts() == {
        "Action": 4, "Animation": 1, "Comedy": 1, "Crime": 2, "Romance": 1, "Sci-Fi": 1,
        "комедия": 1,
    }  # fmt: skip


def test_a_stored_row_reads_as_it_was_written():
    movie = MOVIES[4]
    assert Row.parse(movie.model_dump_json().encode()) == Row.of(movie)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (MovieFilter(), {1, 2, 3, 4, 5, 6}),
        (MovieFilter(("Crime", "Romance")), {3, 5, 6}),
        (MovieFilter(("crime", "Комедия")), {5, 6}),
        (MovieFilter(year_from=2001), {2, 3, 4}),
        (MovieFilter(year_to=1999), {1, 5}),
        (MovieFilter(tag="HEIST"), {5}),
    ],
)
def test_the_filter_means_the_same_for_rows_and_for_the_table(catalogue, allowed, expected):
    assert {row.movie_id for row in catalogue if allowed.allows(row)} == expected
    assert {row.movie_id for row in PopularList(catalogue, MovieSums()).rows(allowed)} == expected


def test_popular_movies_stand_by_positive_ratings_then_mean_then_id(catalogue):
    sums = MovieSums()
    sums.put(0, 3, RatingSums(10, 6, 70))
    sums.put(0, 5, RatingSums(10, 6, 90))
    sums.put(1, 1, RatingSums(9, 5, 90))
    sums.put(2, 1, RatingSums(9, 2, 50))
    popular = PopularList(catalogue, sums)
    movies = list(popular.movies(MovieFilter()))
    assert [f.movie_id for f in movies] == [1, 5, 3, 2, 4, 6]
    assert movies[0].reason is Reason.POPULAR
    crime = list(popular.movies(MovieFilter(("Crime",))))
    assert [f.movie_id for f in crime] == [5, 6]
    assert crime[0].reason is Reason.POPULAR_IN_GENRE
    assert sorted([99, *range(1, 7)], key=popular.key) == [1, 5, 3, 2, 4, 6, 99]
    behind = popular.rows(MovieFilter(), after=popular.key(3))
    assert [row.movie_id for row in behind] == [2, 4, 6]


def test_the_popular_list_follows_movies_at_once_and_sums_within_a_second(catalogue):
    clock, sums = Clock(), MovieSums()
    popular = PopularList(catalogue, sums, clock)
    assert [row.movie_id for row in popular.rows(MovieFilter())] == [1, 2, 3, 4, 5, 6]
    sums.put(0, 6, RatingSums(1, 1, 10))
    popular.update(6)
    assert popular.key(6) > popular.key(5)
    clock.now = 1.5
    assert popular.key(6) < popular.key(1)
    catalogue.put(Row.of(Movie(movie_id=9, title="New", genres=("Western",))))
    assert [f.movie_id for f in popular.movies(MovieFilter(("Western",)))] == [9]
    catalogue.remove(6)
    assert 6 not in [row.movie_id for row in popular.rows(MovieFilter())]


def test_sums_that_came_before_their_movie_count_when_it_comes(catalogue):
    sums = MovieSums()
    popular = PopularList(catalogue, sums)
    popular.key(1)
    sums.put(0, 9, RatingSums(5, 5, 50))
    popular.update(9)
    catalogue.put(Row.of(Movie(movie_id=9, title="Awaited")))
    popular.update(9)
    assert popular.key(9) < popular.key(1)


def test_a_movie_without_ratings_has_the_mean_of_all(catalogue):
    sums = MovieSums()
    sums.put(0, 1, RatingSums(10, 10, 80))
    popular = PopularList(catalogue, sums)
    assert popular.mean(2) == 4.0
    assert popular.mean(99) is None
