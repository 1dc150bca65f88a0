"""The API on a catalogue with genres of its own and optional fields: filters, writes, limits."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.api.schemas.movie_bodies import MoviePatch
from gateway.app import create_app
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.dedup_lookup import RedisDedupLookup
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.bus.api import Published
from marquee.domain.genres import MAX_GENRES
from marquee.domain.movies import ALWAYS_PRESENT, Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import RecommendRequest, Route
from marquee.domain.routing import Thresholds
from marquee.events import Event, MovieAdded, MovieUpdated
from marquee.scoring.candidates import candidates
from marquee.store.keys import Keys
from marquee_testing.fakes.gateway_api import NOWHERE, FakeProfiles, FakePublisher, parts

MOVIES = [
    Movie(movie_id=1, title="Ёлки", year=2010, genres=("Комедия",), runtime=90, language="ru"),
    Movie(movie_id=2, title="Сталкер", year=1979, genres=("Драма", "Фантастика"), runtime=163,
          language="ru-RU", certificate="12+", people=("Андрей Тарковский",), overview="Зона.",
          links={"imdb": "tt0079944", "tmdb": 1398}, poster_url="https://example.org/2.jpg"),
    Movie(movie_id=3, title="Брат", genres=("драма", "Боевик"), runtime=100, certificate="16+"),
    Movie(movie_id=4, title="Солярис", genres=("Драма",), language="pt-BR", keywords=("Космос",)),
]  # fmt: skip


@dataclass
class NoModels:
    """Services that do not answer, so that the own list does; their requests are kept."""

    requests: list[Mapping[str, Any]] = field(default_factory=list)

    async def recommend(
        self, _route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        self.requests.append(request)
        return Failure("down")

    async def call(self, _service: str, _call: Call) -> Reply | Failure:
        return Failure("down")


class NoDuplicates(RedisDedupLookup):
    async def places(self, events: Sequence[Event]) -> list[Published | None]:
        return [None] * len(events)


@dataclass
class Api:
    client: httpx.AsyncClient
    catalogue: Catalogue
    models: NoModels
    log: FakePublisher
    profiles: FakeProfiles

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query)

    async def ids(self, path: str, **query: Any) -> list[int]:
        response = await self.get(path, **query)
        assert response.status_code == 200, response.text
        return [item["movie_id"] for item in response.json()["items"]]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    context, live_view, profiles, _, log = parts()
    live_view.catalogue.replace(map(Row.of, MOVIES))
    models = NoModels()
    context = replace(
        context,
        models=models,
        orchestrator=Orchestrator(models, live_view.popular, Thresholds()),
        dedup=NoDuplicates(NOWHERE, Keys("n", "gateway", 4)),
    )
    transport = httpx.ASGITransport(create_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Api(client, live_view.catalogue, models, log, profiles)


def errors_of(response: httpx.Response) -> dict[str, dict[str, Any]]:
    assert response.status_code == 422, response.text
    return {error["field"]: error for error in response.json()["errors"]}


async def test_the_genres_are_those_of_the_catalogue(api: Api) -> None:
    assert (await api.get("/v1/genres")).json()["items"] == [
        {"name": "Боевик", "films": 1},
        {"name": "Драма", "films": 3},
        {"name": "Комедия", "films": 1},
        {"name": "Фантастика", "films": 1},
    ]


@pytest.mark.parametrize("genre", ["Драма", "драма", " ДРАМА "])
async def test_a_genre_filters_on_every_route_and_in_the_catalogue(api: Api, genre: str) -> None:
    assert await api.ids("/v1/movies", genre=genre) == [2, 3, 4]
    assert await api.ids("/v1/recommendations", genre=genre) == [2, 3, 4]
    assert await api.ids("/v1/users/7/recommendations", genre=genre) == [2, 3, 4]
    assert await api.ids("/v1/users/7/recommendations", genre=[genre, "комедия"]) == [1, 2, 3, 4]
    response = await api.client.post("/v1/recommendations", json={"genres": [genre]})
    assert [item["movie_id"] for item in response.json()["items"]] == [2, 3, 4]


async def test_a_genre_that_no_film_has_is_answered_with_the_nearest(api: Api) -> None:
    for path in ("/v1/movies", "/v1/recommendations", "/v1/users/7/recommendations"):
        error = errors_of(await api.get(path, genre=["Комедия", "драмма"]))["genre.1"]
        assert "did you mean 'Драма'?" in error["detail"]
        assert error["allowed"] == ["Боевик", "Драма", "Комедия", "Фантастика"]
    response = await api.client.post("/v1/recommendations", json={"genres": ["Вестерн"]})
    assert "Вестерн" in errors_of(response)["genres.0"]["detail"]
    response = await api.client.put("/v1/movies/1/promotion", json={"genres": ["Вестерн"]})
    assert set(errors_of(response)) == {"genres.0"}


async def test_of_a_catalogue_that_is_not_read_yet_no_genre_is_refused(api: Api) -> None:
    api.catalogue.replace([])
    assert await api.ids("/v1/recommendations", genre="Вестерн") == []


async def test_a_film_that_is_written_has_the_spelling_of_the_catalogue(api: Api) -> None:
    film = {"movie_id": 9, "title": "Аватар", "genres": ["ДРАМА", "Вестерн"]}
    assert (await api.client.post("/v1/movies", json=film)).status_code == 202
    response = await api.client.patch("/v1/movies/1", json={"genres": ["боевик"]})
    assert response.status_code == 202
    added = {"type": "movie.added", "data": film | {"movie_id": 10, "genres": ["драма", "вестерн"]}}
    changed = {"type": "movie.updated", "data": {"movie_id": 10, "genres": ["ВЕСТЕРН"]}}
    response = await api.client.post("/v1/events", json={"events": [added, changed]})
    assert response.json()["accepted"] == 2
    assert [json.loads(event.encode())["data"]["genres"] for event in api.log.events] == [
        ["Драма", "Вестерн"], ["Боевик"], ["Драма", "вестерн"], ["вестерн"],
    ]  # fmt: skip


async def test_a_65th_genre_is_refused_and_those_that_are_there_are_not(api: Api) -> None:
    for i in range(MAX_GENRES - 4):
        api.catalogue.put(Row.of(Movie(movie_id=100 + i, title="Ф", genres=(f"жанр {i}",))))
    film = {"movie_id": 9, "title": "Аватар", "genres": ["Вестерн"]}
    assert (
        "Вестерн" in errors_of(await api.client.post("/v1/movies", json=film))["genres"]["detail"]
    )
    assert "genres" in errors_of(await api.client.patch("/v1/movies/1", json={"genres": ["Ы"]}))
    events = [
        {"type": "movie.added", "data": film},
        {"type": "movie.added", "data": film | {"genres": ["Драма"]}},
    ]
    outcome = (await api.client.post("/v1/events", json={"events": events})).json()
    assert (outcome["accepted"], outcome["rejected"]) == (1, 1)
    assert outcome["items"][0]["errors"][0]["field"] == "data.genres"
    assert (
        await api.client.post("/v1/movies", json=film | {"genres": ["жанр 3"]})
    ).status_code == 202


@pytest.mark.parametrize("genre", ["", "a\u0007b", "ж" * 41])
async def test_what_is_no_name_of_a_genre_is_refused(api: Api, genre: str) -> None:
    film = {"title": "Аватар", "genres": [genre]}
    assert set(errors_of(await api.client.post("/v1/movies", json=film))) == {"genres.0"}
    assert set(errors_of(await api.get("/v1/movies", genre=genre))) == {"genre.0"}


FILTERS = [
    ({"genre_not": ["драма"]}, [1]),
    ({"genre_not": ["Боевик", "Комедия"]}, [2, 4]),
    ({"genre": ["Драма"], "genre_not": ["фантастика"]}, [3, 4]),
    ({"runtime_max": 100}, [1, 3]),
    ({"runtime_max": 163}, [1, 2, 3]),
    ({"language": ["ru"]}, [1, 2]),
    ({"language": ["RU-ru"]}, [2]),
    ({"language": ["pt", "ru"], "genre_not": ["Комедия"]}, [2, 4]),
    ({"certificate": ["16+", "12+"]}, [2, 3]),
    ({"certificate": ["12+"], "runtime_max": 100}, []),
    ({"language": ["pt"], "certificate": ["16+"]}, []),
    ({"tag": "космос"}, [4]),
    ({"year_to": 1979}, [2]),
    ({"year_from": 1990, "runtime_max": 95}, [1]),
]
BODY_NAMES = {
    "genre": "genres",
    "genre_not": "genres_not",
    "language": "languages",
    "certificate": "certificates",
}


@pytest.mark.parametrize(("query", "expected"), FILTERS)
async def test_what_is_unknown_of_a_film_passes_no_filter_of_it(
    api: Api, query: dict[str, Any], expected: list[int]
) -> None:
    for path in ("/v1/movies", "/v1/recommendations", "/v1/users/7/recommendations"):
        assert await api.ids(path, **query) == expected
    for movie_id in (1, 2, 3, 4):
        found = await api.ids(f"/v1/movies/{movie_id}/similar", **query)
        assert sorted(found) == [i for i in expected if i != movie_id]
    api.profiles.facts[7] = Ratings(dict.fromkeys((1, 999, 2, 3, 4), 8))
    assert await api.ids("/v1/users/7/ratings", **query) == expected[::-1]
    assert await api.ids("/v1/movies", query="с", **query) == [i for i in expected if i in (2, 4)]
    body = {BODY_NAMES.get(name, name): value for name, value in query.items()}
    response = await api.client.post("/v1/recommendations", json=body)
    assert [item["movie_id"] for item in response.json()["items"]] == expected


@pytest.mark.parametrize(("query", "expected"), FILTERS)
async def test_services_are_told_the_shorter_of_what_is_allowed_and_what_is_not(
    api: Api, query: dict[str, Any], expected: list[int]
) -> None:
    await api.ids("/v1/users/7/recommendations", exclude=4, **query)
    for request in api.models.requests:
        names = ("genres", "genres_not", "year_from", "year_to", "only", "exclude")
        sent = {name: request[name] for name in names if name in request}
        read = RecommendRequest(route=Route.HYBRID, **sent)
        rows = candidates(read, api.catalogue.table)
        assert api.catalogue.numbers(rows) == [i for i in expected if i != 4]
        assert len(request["only"] or ()) <= 2
        assert len(request["exclude"]) <= 3


async def test_a_list_without_films_says_that_none_is_known_to_pass(api: Api) -> None:
    body = (await api.get("/v1/recommendations", language="pt", runtime_max=1)).json()
    assert body["reason"].startswith("no film is known to have such a runtime, language or")


async def test_free_tags_are_found_as_tags(api: Api) -> None:
    assert await api.ids("/v1/users/7/recommendations", tag="андрей тарковский") == [2]
    assert await api.ids("/v1/users/7/recommendations", tag="космос") == [4]
    api.catalogue.remove(4)
    assert await api.ids("/v1/users/7/recommendations", tag="космос") == []


async def test_a_film_is_shown_with_all_fields_and_lists_with_some(api: Api) -> None:
    film = (await api.get("/v1/movies/2")).json()
    assert film["overview"] == "Зона."
    assert film["links"] == {"imdb": "tt0079944", "tmdb": 1398}
    assert film["people"] == ["Андрей Тарковский"]
    [item] = (await api.get("/v1/movies", query="сталкер")).json()["items"]
    assert item == {
        "movie_id": 2, "title": "Сталкер", "year": 1979, "genres": ["Драма", "Фантастика"],
        "runtime": 163, "language": "ru-RU", "certificate": "12+",
        "poster_url": "https://example.org/2.jpg",
    }  # fmt: skip
    assert "runtime" not in (await api.get("/v1/movies/4")).json()


async def test_fields_of_a_film_are_written_and_changed(api: Api) -> None:
    fields = {"runtime": 96, "language": "ru", "moods": ["тепло"], "links": {"tmdb": 5}}
    film = {"movie_id": 9, "title": "Аватар", **fields}
    assert (await api.client.post("/v1/movies", json=film)).status_code == 202
    change = {"overview": "О снах.", "certificate": " 6+ "}
    assert (await api.client.patch("/v1/movies/1", json=change)).status_code == 202
    of_add, of_change = api.log.events
    assert isinstance(of_add, MovieAdded)
    assert isinstance(of_change, MovieUpdated)
    added, changed = of_add.data, of_change.data
    assert added.present_fields() == fields
    after = changed.apply(added)
    assert after.present_fields() == fields | {"overview": "О снах.", "certificate": "6+"}


async def test_null_clears_a_field_that_a_film_may_lack(api: Api) -> None:
    change = {"runtime": None, "year": None, "links": None, "certificate": "18+"}
    response = await api.client.patch("/v1/movies/2", json=change)
    assert response.status_code == 202, response.text
    [event] = api.log.events
    assert isinstance(event, MovieUpdated)
    assert event.data.cleared == ("links", "runtime", "year")
    after = event.data.apply(MOVIES[1])
    assert after.present_fields().keys() == {
        "language", "certificate", "people", "overview", "poster_url"
    }  # fmt: skip
    api.catalogue.put(Row.of(after))
    assert await api.ids("/v1/movies", runtime_max=6000) == [1, 3]
    assert await api.ids("/v1/movies", certificate="18+") == [2]
    assert {"runtime", "links"}.isdisjoint((await api.get("/v1/movies/2")).json())


@given(st.sets(st.sampled_from(sorted(ALWAYS_PRESENT - {"movie_id"})), min_size=1))
def test_null_is_refused_for_what_a_film_always_has(names: set[str]) -> None:
    with pytest.raises(ValidationError) as refused:
        MoviePatch.model_validate(dict.fromkeys({*names, "runtime"}))
    errors = {error["loc"][0]: error["msg"] for error in refused.value.errors()}
    assert errors.keys() == names
    assert all("leave the field out to keep it" in message for message in errors.values())


async def test_the_remedy_of_a_null_is_told(api: Api) -> None:
    body = {"title": None, "genres": None, "tags": None, "runtime": None}
    errors = errors_of(await api.client.patch("/v1/movies/2", json=body))
    remedies = {name: error["detail"].split(": ")[1] for name, error in errors.items()}
    assert {name: remedy.partition(",")[0] for name, remedy in remedies.items()} == {
        "title": "a film always has a title",
        "genres": "[] takes all genres away",
        "tags": "{} takes all tags away",
    }
    assert api.log.events == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"runtime": 0}, "runtime"),
        ({"language": "русский"}, "language"),
        ({"certificate": " "}, "certificate"),
        ({"poster_url": "javascript:alert(1)"}, "poster_url"),
        ({"links": {"imdb": "113277"}}, "links.imdb"),
        ({"links": {"kinopoisk": 5}}, "links.kinopoisk"),
        ({"people": [""]}, "people.0"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, fields: dict[str, Any], field: str) -> None:
    response = await api.client.post("/v1/movies", json={"title": "Аватар", **fields})
    assert set(errors_of(response)) == {field}
    assert api.log.events == []
