"""Segments: what puts movies and users into them, their names, and poor data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marquee.arrays import Matrix
from marquee.domain.genres import multi_hot
from marquee.domain.movies import Movie
from marquee.domain.recommendation import UserHistory
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.interactions import RatingRows
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig, fit
from user_model.model import UserModel
from user_model.segments.fit import SegmentsConfig, fit_segments
from user_model.segments.model import MIN_USERS, Segments
from user_model.segments.naming import describe_segments
from user_model.segments.pinned_kmeans import pinned_kmeans
from user_model.segments_api import liked_in

KINDS = (("Comedy",), ("Western",), ("Sci-Fi",))
TWO_AND_THREE = SegmentsConfig(movies_k=3, users_k=3, width=4, epochs=60)


def movie(movie_id: int) -> Movie:
    kind = movie_id % 3
    return Movie(movie_id=movie_id, title=f"F{movie_id}", year=1960 + 10 * kind, genres=KINDS[kind])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """60 users; each loves one of three genres and dislikes the others."""
    rng = np.random.default_rng(0)
    movies = [movie(i) for i in range(1, 61)]
    rows = [
        (user, movie_id, 9 if movie_id % 3 == user % 3 else 4)
        for user in range(1, 61)
        for movie_id in rng.permutation(60)[:24] + 1
    ]
    users, movie_ids, half = (np.array(column) for column in zip(*rows, strict=True))
    return make_dataset(
        users, movie_ids, half.astype(np.uint8), np.zeros(len(rows), np.int64), movies
    )


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> UserModel:
    config = UserModelConfig(
        taste=SMALL_TASTE.model_copy(update={"validation_share": 0.0}),
        clusters=2,
        segments=TWO_AND_THREE,
    )
    return fit(dataset, config, 0)


def flags(model: UserModel) -> Matrix:
    assert model.segments is not None
    return model.base.genre_matrix(model.segments.movies.genres)


def segment_of(model: UserModel, *movie_ids: int) -> int | None:
    return model.segment(UserHistory.of([(i, 5.0) for i in movie_ids]).rated)


def test_movies_of_a_genre_share_a_segment(model: UserModel) -> None:
    assert model.segments is not None
    found = model.segments.movies.assign(flags(model), model.base_sums)
    groups = [set(found[model.base.movie_ids % 3 == kind].tolist()) for kind in range(3)]
    assert [len(group) for group in groups] == [1, 1, 1]
    assert len(set.union(*groups)) == 3


def test_a_new_movie_gets_its_segment_from_its_genres(model: UserModel) -> None:
    assert model.segments is not None
    new_flags = multi_hot([("Western",), ("Comedy",)], model.segments.movies.genres)
    new = model.segments.movies.assign(new_flags, np.zeros((2, 3), np.int64))
    old = model.segments.movies.assign(flags(model), model.base_sums)
    assert new.tolist() == [old[model.base.index(1)], old[model.base.index(3)]]


def test_a_user_moves_to_another_segment_with_their_ratings(model: UserModel) -> None:
    comedies, westerns = segment_of(model, 3, 6, 9, 12), segment_of(model, 1, 4, 7, 10)
    assert comedies != westerns
    assert segment_of(model, 3, 6, *range(1, 60, 3)) == westerns


def test_only_likes_count(model: UserModel) -> None:
    with_low = UserHistory.of([(3, 5.0), (6, 4.5), (1, 1.0), (4, 0.5), (7, 3.5)]).rated
    assert model.segment(with_low) == model.segment(UserHistory.of([(3, 5.0), (6, 4.5)]).rated)
    assert model.segment(UserHistory.of([(1, 3.5), (4, 1.0)]).rated) is None
    assert model.segment(UserHistory.of([(999, 5.0)]).rated) is None


def test_a_segment_is_named_by_its_genre_and_decade(model: UserModel) -> None:
    assert model.segments is not None
    for kind in ("movies", "users"):
        names = {segment["name"] for segment in model.segments.described(kind)}
        assert names == {"Comedy · 1960s", "Western · 1970s", "Sci-Fi · 1980s"}


def test_what_a_segment_likes_is_of_its_genre(model: UserModel) -> None:
    assert model.segments is not None
    for segment in model.segments.described("users"):
        best = np.argsort(-liked_in(model, segment["id"]))[:10]
        kinds = {model.base.genre_names(row) for row in best}
        assert kinds == {(segment["name"].partition(" ")[0],)}
        assert {movie(i).genres[0] for i in segment["typical"][:10]} == {
            segment["name"].partition(" ")[0]
        }


def test_a_segment_of_few_users_is_not_shown(model: UserModel) -> None:
    assert model.segments is not None
    about = {
        "movies": {"segments": [{"size": 1}]},
        "users": {"segments": [{"size": MIN_USERS - 1}, {"size": MIN_USERS}]},
    }
    segments = replace(model.segments, about=about)
    assert segments.described("users") == [{"size": MIN_USERS}]
    assert segments.described("movies") == [{"size": 1}]


def test_a_saved_model_has_the_same_segments(model: UserModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = UserModel.load(tmp_path)
    assert model.segments is not None
    assert loaded.segments is not None
    assert loaded.segments.described("users") == model.segments.described("users")
    assert loaded.segments.described("movies") == model.segments.described("movies")
    for start in (1, 2, 3):
        movies = range(start, 60, 3)
        assert segment_of(loaded, *movies) == segment_of(model, *movies)
    for name in ("film_segments", "user_segment_autoencoder", "encoded_user_vectors"):
        assert (tmp_path / f"{name}.npz").is_file()


def test_a_bundle_of_before_there_were_segments_loads(model: UserModel, tmp_path: Path) -> None:
    replace(model, segments=None).save(tmp_path)
    loaded = UserModel.load(tmp_path)
    assert loaded.segments is None
    assert segment_of(loaded, 3, 6) is None


def segments_of(ratings: list[tuple[int, int, int]], n_movies: int = 30) -> Segments:
    columns = np.array(ratings, np.int64).reshape(-1, 3)
    movies = [movie(i) for i in range(1, n_movies + 1)]
    data = make_dataset(
        columns[:, 0], columns[:, 1], columns[:, 2].astype(np.uint8), columns[:, 2] * 0, movies
    )
    rows = RatingRows.of(data)
    return fit_segments(data.movies, rows, np.zeros(n_movies, np.int16), SegmentsConfig(), 0)


@pytest.mark.parametrize(
    ("ratings", "users"),
    [
        ([], 0),
        ([(1, 1, 2), (2, 2, 3)], 0),
        ([(1, 1, 10)], 1),
        ([(1, i, 8) for i in range(1, 20)], 1),
        ([(user, i, 8) for user in range(1, 9) for i in range(1, 9)], 1),
    ],
    ids=["none", "only low ones", "one", "one viewer", "all the same"],
)
def test_poor_ratings_make_few_segments_and_say_why(
    ratings: list[tuple[int, int, int]], users: int, tmp_path: Path
) -> None:
    segments = segments_of(ratings)
    segments.save(tmp_path)  # refuses what is not finite
    choice = segments.about["users"]["choice"]
    assert choice["k"] == users
    assert choice["structure"] is False
    assert choice["reason"]
    loaded = Segments.load(tmp_path)
    assert loaded is not None
    assert (loaded.users is None) == (users == 0)


def test_a_movie_alone_is_a_segment() -> None:
    segments = segments_of([(1, 1, 9)], n_movies=1)
    assert [segment["size"] for segment in segments.described("movies")] == [1]


def test_pinned_kmeans_stay_and_the_others_find_theirs() -> None:
    rng = np.random.default_rng(0)
    places = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
    rows = (np.repeat(places, 50, axis=0) + rng.normal(0, 0.5, (200, 2))).astype(np.float32)
    kept = np.array([[4, 4], [10, 10]], np.float32)  # one of them where there is nothing
    found = pinned_kmeans(rows, 5, kept, 0)
    assert found[:2].tolist() == kept.tolist()
    others = np.array(sorted(found[2:].tolist(), key=lambda at: (round(at[1]), round(at[0]))))
    assert np.abs(others - [[0, 0], [10, 0], [0, 10]]).max() < 0.3
    assert np.array_equal(pinned_kmeans(rows, 5, kept, 0), found)


def test_rows_that_are_all_the_same_give_the_pinned_kmeans_alone() -> None:
    kept = np.zeros((1, 2), np.float32)
    assert pinned_kmeans(np.zeros((9, 2), np.float32), 4, kept, 0).shape == (1, 2)


@pytest.mark.parametrize(("kind", "k"), [("movies", 2), ("users", 3)])
def test_a_kept_segment_is_made_again_and_the_others_share_the_rest(
    dataset: Dataset, model: UserModel, kind: str, k: int
) -> None:
    assert model.segments is not None
    for old in model.segments.described(kind):
        config = SegmentsConfig.model_validate(
            {f"{kind}_k": k, "width": 4, f"{kind}_kept": [old["typical"]]}
        )
        rows = RatingRows.of(dataset)
        again = fit_segments(dataset.movies, rows, np.zeros(60, np.int16), config, 5)
        kept, *others = again.described(kind)
        assert kept["name"] == old["name"]
        assert kept["size"] == old["size"]
        assert len({*kept["typical"]} & {*old["typical"]}) >= 0.9 * len(old["typical"])
        assert sum(other["size"] for other in others) == 2 * old["size"]
        assert again.about[kind]["choice"]["reason"] == f"{k} were asked for; 1 of them kept"


def test_more_kept_segments_than_were_asked_for_are_all_made(dataset: Dataset) -> None:
    kept = tuple(tuple(range(kind, 61, 3)) for kind in (1, 2, 3))
    config = SegmentsConfig(movies_k=2, users_k=1, movies_kept=(*kept, (999,)), users_kept=kept)
    rows = RatingRows.of(dataset)
    segments = fit_segments(dataset.movies, rows, np.zeros(60, np.int16), config, 0)
    assert [segment["size"] for segment in segments.described("movies")] == [20, 20, 20]
    assert len(segments.about["users"]["segments"]) == 3


def test_segments_with_the_same_words_have_different_names() -> None:
    movies = [movie(3), movie(6)]
    described = describe_segments(np.eye(2), [1, 1], movies, np.eye(2))
    assert [segment["name"] for segment in described] == ["Mixed", "Mixed (2)"]


def test_a_tag_names_a_segment_that_carries_it() -> None:
    tagged = [
        Movie(movie_id=i, title="T", tags={"heist": 0.9} if i <= 6 else {}) for i in range(1, 21)
    ]
    weights = np.array([[i <= 6 for i in range(1, 21)], [i > 6 for i in range(1, 21)]], float)
    assert describe_segments(weights, [6, 14], tagged, weights)[0]["name"] == "Mixed · “heist”"
