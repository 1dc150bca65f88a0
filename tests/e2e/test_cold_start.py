"""Popular movies equal a recomputation from the CSV; run before other files, whose users rate."""

import csv
import io
import math
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from marquee.domain.genres import GENRES

pytestmark = pytest.mark.timeout(1500)

DATA = Path(__file__).resolve().parents[2] / "data" / "ml-latest-small.zip"


def rows(name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(DATA) as archive:
        path = next(member for member in archive.namelist() if member.endswith(name))
        return list(csv.DictReader(io.StringIO(archive.read(path).decode())))


@pytest.fixture(scope="module")
def by_popularity() -> list[int]:
    """All movies of the CSV: log(1 + positive ratings), ties by shrunk mean, then by id."""
    positive: dict[int, int] = defaultdict(int)
    count: dict[int, int] = defaultdict(int)
    total: dict[int, float] = defaultdict(float)
    for row in rows("/ratings.csv"):
        movie_id, stars = int(row["movieId"]), float(row["rating"])
        positive[movie_id] += stars > 3.5
        count[movie_id] += 1
        total[movie_id] += stars
    mean = sum(total.values()) / sum(count.values())
    movies = [int(row["movieId"]) for row in rows("/movies.csv")]
    return sorted(
        movies,
        key=lambda i: (
            -math.log1p(positive[i]),
            -(total[i] + 25 * mean) / (count[i] + 25),
            i,
        ),
    )


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["movie_id"] for item in answer["items"]]


def test_a_cold_user_gets_the_five_most_popular_movies_of_any_genre(
    system: Any, by_popularity: list[int]
) -> None:
    genres = {int(r["movieId"]): r["genres"].split("|") for r in rows("/movies.csv")}
    answer = system.get("/v1/recommendations")
    assert ids(answer) == by_popularity[:5]
    for genre in GENRES:
        answer = system.get("/v1/recommendations", genre=genre)
        expected = [i for i in by_popularity if genre in genres[i]][:5]
        assert (answer["route"], ids(answer)) == ("popular", expected), genre


def test_an_unknown_user_gets_popular_movies(
    system: Any, new_user: int, by_popularity: list[int]
) -> None:
    answer = system.recommend(new_user)
    assert (answer["route"], ids(answer)) == ("popular", by_popularity[:10])
