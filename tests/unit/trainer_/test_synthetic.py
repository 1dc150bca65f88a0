"""Generated data has the numbers asked for, repeats for a seed, and has a structure to learn."""

from pathlib import Path

import numpy as np
import pytest

from marquee.domain.genres import GENRES
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from trainer.datasets.reader import read_dataset
from trainer.datasets.synthetic import generate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("generated")
    data, report = read_dataset(generate(400, 500, 20_000, 7, folder))
    assert report.malformed == 0
    return data


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("users", "movies", "ratings"), [(20, 10, 100), (1, 2, 1), (50, 40, 50), (30, 3000, 9000)]
)
def test_there_are_exactly_as_many_as_asked_for(
    tmp_path: Path, users: int, movies: int, ratings: int
) -> None:
    data, report = read_dataset(generate(users, movies, ratings, 1, tmp_path))
    assert (len(data), len(data.movies), len(np.unique(data.user_ids))) == (ratings, movies, users)
    assert (report.malformed, report.replaced, report.ratings_without_movie) == (0, 0, 0)


def test_the_same_seed_writes_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    one = contents(generate(50, 60, 1500, 3, tmp_path / "one", genome_tags=5))
    assert contents(generate(50, 60, 1500, 3, tmp_path / "two", genome_tags=5)) == one
    other = contents(generate(50, 60, 1500, 4, tmp_path / "three", genome_tags=5))
    assert all(other[name] != one[name] for name in ("ratings.csv", "movies.csv", "tags.csv"))


def test_numbers_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    for users, movies, ratings in [(10, 10, 51), (10, 10, 9), (0, 10, 5), (5, 0, 5)]:
        with pytest.raises(DataError, match="ratings by"):
            generate(users, movies, ratings, 1, tmp_path)
    assert contents(tmp_path) == {}


def test_data_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    generate(5, 10, 20, 1, tmp_path)
    with pytest.raises(DataError, match=r"there is a ratings\.csv already"):
        generate(5, 10, 20, 2, tmp_path)


def test_users_rate_twenty_movies_or_more_and_some_many_more(data: Dataset) -> None:
    counts = np.unique(data.user_ids, return_counts=True)[1]
    assert counts.min() >= 20
    assert counts.max() > 4 * np.median(counts)
    assert counts.max() <= 250


def test_few_movies_draw_much_of_the_attention(data: Dataset) -> None:
    counts = np.sort(np.unique(data.movie_ids, return_counts=True)[1])[::-1]
    assert counts[:50].sum() > 0.25 * len(data)
    assert counts[0] > 10 * np.median(counts[-100:])


def test_ratings_spread_like_real_ones(data: Dataset) -> None:
    assert set(np.unique(data.half_stars)) == set(range(1, 11))
    assert 3.2 < data.half_stars.mean() / 2 < 3.9
    assert 0.3 < (data.half_stars >= 8).mean() < 0.65


def test_who_watched_alike_watches_alike_beyond_popularity(data: Dataset) -> None:
    """Co-watching ranks the movies that were held out better than popularity does."""
    held = np.random.default_rng(0).random(len(data)) < 0.2
    seen, later = np.zeros((401, 501)), np.zeros((401, 501))
    seen[data.user_ids[~held], data.movie_ids[~held]] = 1.0
    later[data.user_ids[held], data.movie_ids[held]] = 1.0
    counts = seen.sum(axis=0)
    together = seen.T @ seen
    np.fill_diagonal(together, 0.0)
    alike = together / np.sqrt(np.outer(counts, counts) + 1.0)

    def found(scores: np.ndarray) -> float:
        top = np.argsort(-np.where(seen > 0, -np.inf, scores), axis=1)[:, :20]
        return float(np.take_along_axis(later, top, axis=1).sum() / later.sum())

    assert found(seen @ alike) > 1.3 * found(np.broadcast_to(counts, seen.shape))


def test_what_a_user_thinks_of_a_genre_holds_for_its_other_movies(data: Dataset) -> None:
    """Residual liking of a genre on half of a user's movies agrees with that on the other half."""
    half = np.random.default_rng(0).random(len(data)) < 0.5
    residual = data.half_stars - data.half_stars.mean()
    for ids in (data.movie_ids, 2 * data.user_ids + half):  # halves share no mean
        residual = residual - (np.bincount(ids, residual) / np.maximum(np.bincount(ids), 1))[ids]
    member = np.zeros((501, len(GENRES)))
    for movie in data.movies:
        member[movie.movie_id, [GENRES.index(genre) for genre in movie.genres]] = 1.0
    liking, numbers = np.zeros((2, 401, len(GENRES))), np.zeros((2, 401, len(GENRES)))
    for side, rows in enumerate((half, ~half)):
        genres = member[data.movie_ids[rows]]
        np.add.at(liking[side], data.user_ids[rows], residual[rows, None] * genres)
        np.add.at(numbers[side], data.user_ids[rows], genres)
    enough = (numbers >= 4).all(axis=0)
    first, second = (liking[side][enough] / numbers[side][enough] for side in (0, 1))
    assert np.corrcoef(first, second)[0, 1] > 0.1


def test_titles_are_different_and_read_like_titles(data: Dataset) -> None:
    titles = [movie.title for movie in data.movies]
    assert len(set(titles)) == len(titles)
    assert any(title.startswith("The ") for title in titles)
    assert all(movie.year and 1920 <= movie.year <= 2019 for movie in data.movies)
    assert all(1 <= len(movie.genres) <= 4 for movie in data.movies)


def test_a_tag_genome_covers_the_more_popular_half(tmp_path: Path) -> None:
    data, report = read_dataset(generate(40, 30, 400, 1, tmp_path, genome_tags=70))
    rows = {tally.file: tally.rows for tally in report.files}
    assert (rows["genome-tags.csv"], rows["genome-scores.csv"]) == (70, 15 * 70)
    assert sum(len(movie.tags) > 3 for movie in data.movies) >= 10
