"""Models of a catalogue with genres and texts of its own: rows, filters, segments, bundles."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
import pytest
from fastapi import Request

from content.app import similar
from content.fit import ContentConfig
from content.fit import fit as fit_content
from content.model import Content
from marquee.consumer.derivation import movie_row
from marquee.domain.movies import Movie
from marquee.domain.recommendation import RecommendRequest, Route, UserHistory
from marquee.errors import InvalidInput
from marquee.events import MovieChange
from marquee.features.dataset import Dataset
from marquee.scoring.candidates import candidates
from marquee.serving.movie_rows import MovieTableWriter
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig
from user_model.fit import fit as fit_users
from user_model.model import UserModel
from user_model.segments.fit import SegmentsConfig

RUSSIAN = {"Action": "Боевик", "Romance": "Мелодрама"}


def translated(movie: Movie) -> Movie:
    kind = movie.genres[0]
    update = {
        "genres": (RUSSIAN[kind],),
        "overview": f"{'погоня взрыв' if kind == 'Action' else 'письма любовь'}",
        "people": (f"{kind} {movie.movie_id % 3}",),
    }
    return movie.model_copy(update=update)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    data = checkerboard()
    movies = tuple(translated(movie) for movie in data.movies)
    return Dataset(data.user_ids, data.movie_ids, data.half_stars, data.times, movies)


@pytest.fixture(scope="module")
def content(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Content:
    folder: Path = tmp_path_factory.mktemp("content")
    fit_content(dataset, ContentConfig(), 0).save(folder)
    return Content.load(folder)


def test_vectors_have_the_genres_and_texts_of_the_catalogue(content: Content) -> None:
    assert content.movie_vectors.genres == ("Боевик", "Мелодрама")
    assert content.movie_vectors.text is not None
    assert content.movie_vectors.blocks["text"].stop == content.movie_vectors.content.stop


def test_a_row_that_comes_by_an_event_filters_by_its_new_genre_at_once(content: Content) -> None:
    new = Movie(movie_id=900, title="Свой", year=1974, genres=("Истерн", "боевик"))
    table = content.movies()
    packed = movie_row(new, (0, 0, 0), content).pack()
    MovieTableWriter(content, table, None).put(900, packed)
    for genre, found in (("истерн", {900}), ("БОЕВИК", {900, *range(10, 34, 2)})):
        request = RecommendRequest(route=Route.SIMILAR, genres=(genre,), viewed=(11,), k=50)
        mask = candidates(request, table)
        assert set(table.movie_ids[mask].tolist()) == found
        user = UserHistory.of(viewed=[11])
        listed = {scored.movie_id for scored in content.recommend(user, table, mask, 50)}
        assert listed <= found
        assert 900 in listed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, {*range(10, 34)}),
        ({}, {*range(10, 34)}),
        ({"genres": ["мелодрама"]}, {*range(11, 34, 2)}),
        ({"genres_not": ["мелодрама"], "exclude": [12]}, {*range(10, 34, 2)} - {12}),
        ({"only": [13, 14, 99]}, {13, 14}),
    ],
)
async def test_movies_like_one_are_within_the_filter_of_the_call(
    content: Content, body: dict[str, object] | None, expected: set[int]
) -> None:
    replica = SimpleNamespace(serving=SimpleNamespace(model=content, movies=content.movies()))
    answer = await similar(cast(Any, replica), call_of(10, body))
    assert {item["movie_id"] for item in answer["items"]} == expected - {10}
    with pytest.raises(InvalidInput, match="genre: "):
        await similar(cast(Any, replica), call_of(10, {"genre": ["Боевик"]}))


def call_of(movie_id: int, body: dict[str, object] | None) -> Request:
    """Return a GET of 50 movies, or a POST with a body."""
    scope = {
        "type": "http", "path_params": {"movie_id": movie_id}, "query_string": b"k=50",
        "method": "GET" if body is None else "POST", "headers": [],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": orjson.dumps({**(body or {}), "k": 50})}

    return Request(scope, receive)


def test_a_field_that_was_cleared_is_gone_from_the_row(content: Content) -> None:
    bare = Movie(movie_id=900, title="Свой", genres=("Боевик",))
    full = bare.model_copy(
        update={"year": 1974, "overview": "письма любовь", "people": ("Action 1",)}
    )
    change = MovieChange(movie_id=900, cleared=("year", "overview", "people"))
    rows = [
        movie_row(movie, (0, 0, 0), content).pack() for movie in (full, change.apply(full), bare)
    ]
    assert rows[0] != rows[1]
    assert rows[1] == rows[2]


def test_segments_are_named_by_the_genres_of_the_catalogue(
    dataset: Dataset, tmp_path: Path
) -> None:
    config = UserModelConfig(
        taste=SMALL_TASTE.model_copy(update={"validation_share": 0.0}),
        clusters=2,
        segments=SegmentsConfig(movies_k=2, users_k=2, width=4, epochs=20),
    )
    fit_users(dataset, config, 0).save(tmp_path)
    model = UserModel.load(tmp_path)
    assert model.segments is not None
    named = model.segments.described("movies")
    assert {segment["name"].partition(" ")[0] for segment in named} == {"Боевик", "Мелодрама"}
    assert set(named[0]["genres"]) == {"Боевик", "Мелодрама"}
    flags = model.base.genre_matrix(model.segments.movies.genres)
    assert np.array_equal(flags.sum(axis=0), [12, 12])
    segments = model.segments.movies.assign(flags, model.base_sums)
    assert len(set(segments[flags[:, 0] == 1].tolist())) == 1
