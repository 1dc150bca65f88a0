"""A viewer's export: all that is known of them as JSON, and a file that Letterboxd imports."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from gateway.api.user_exports import letterboxd_csv
from gateway.app import create_app
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.state import consistency_token
from gateway.upstream.models import Reply
from marquee.domain.ids import GivenId
from marquee.domain.movies import kept_movie
from marquee.domain.ratings import Ratings
from marquee.events.partitioning import partition_of
from marquee_testing.fakes.gateway_api import ApiHarness, client_of, fields_of, parts, problem_of
from trainer.own_ratings.reader import read_export

TITLES = {
    1: ("Heat", 1995),
    2: ('I, "Tonya"', 2017),
    3: ("=SUM(A1)", None),
    4: ("Le fabuleux destin d’Amélie Poulain, two\nlines", 2001),
    5: ("Ikiru", 1952),
    6: ("Dismissed", 2000),
}
MAY = int(datetime(2024, 5, 3, 23, 59, tzinfo=UTC).timestamp())


EXPORT = "/v1/users/42/export"
ODD = GivenId("odd:film")


def catalogue() -> Catalogue:
    rows = ({"movie_id": i, "title": t, "year": y} for i, (t, y) in TITLES.items())
    return Catalogue(Row.of(kept_movie(orjson.dumps(row | {"genres": ["Drama"]}))) for row in rows)


def facts() -> Ratings:
    known = Ratings()
    known.rate(2, 9, MAY - 86400)
    known.rate(1, 10, MAY)
    known.rate(3, 1)
    known.rate(99, 4)
    known.view(1)
    known.view(5)
    known.view(4)
    known.view(int(ODD))
    known.dismiss(6)
    return known


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    context, live_view, profiles, models, publisher = parts()
    live_view.catalogue.replace(catalogue())
    profiles.facts[42] = facts()
    profiles.texts[int(ODD)] = ODD.text
    models.replies["user-model"] = Reply(200, {"cluster": 3, "segment": 2, "model_version": "v1"})
    app = create_app(context)
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, models, publisher)


async def test_all_that_is_known_is_told_the_newest_first(api: ApiHarness) -> None:
    response = await api.get(EXPORT)
    body = response.json()
    assert response.status_code == 200
    assert {k: body["user"][k] for k in ("user_id", "ratings", "viewed", "dismissed")} == {
        "user_id": 42,
        "ratings": 4,
        "viewed": 4,
        "dismissed": 1,
    }
    assert (body["user"]["cluster"], body["user"]["segment"]) == (3, 2)
    assert body["user"]["route"] == "hybrid"
    assert [(r["movie_id"], r["title"], r["rating"], r["rated_at"]) for r in body["ratings"]] == [
        (99, None, 2.0, None),
        (3, "=SUM(A1)", 0.5, None),
        (1, "Heat", 5.0, "2024-05-03T23:59:00+00:00"),
        (2, 'I, "Tonya"', 4.5, "2024-05-02T23:59:00+00:00"),
    ]
    assert [film["movie_id"] for film in body["viewed"]] == ["odd:film", 4, 5, 1]
    assert [film["title"] for film in body["dismissed"]] == ["Dismissed"]


async def test_the_user_is_described_as_by_the_call_of_the_user(api: ApiHarness) -> None:
    described = (await api.get("/v1/users/42")).json()
    assert (await api.get(EXPORT)).json()["user"] == described


async def test_the_file_for_letterboxd_has_titles_as_they_are(api: ApiHarness) -> None:
    response = await api.get("/v1/users/42/export?format=letterboxd")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert response.content.endswith(b"\r\n")
    assert list(csv.reader(io.StringIO(response.content.decode(), newline=""))) == [
        ["Title", "Year", "Rating", "WatchedDate"],
        ["=SUM(A1)", "", "0.5", ""],
        ["Heat", "1995", "5", "2024-05-03"],
        ['I, "Tonya"', "2017", "4.5", "2024-05-02"],
        [TITLES[4][0], "2001", "", ""],
        ["Ikiru", "1952", "", ""],
    ]


def test_films_with_links_have_columns_for_them() -> None:
    rows = [
        Row(1, "Heat", 1995, (), {}, {"links": {"imdb": "tt0113277", "tmdb": 949}}),
        Row(2, "Seven", 1995, (), {}, {"links": {"imdb": "0114369"}}),
        Row(3, "Bare", 1995, (), {}),
    ]
    text = letterboxd_csv(Ratings({3: 2, 2: 4, 1: 6}), Catalogue(rows))
    assert text.splitlines() == [
        "Title,Year,Rating,WatchedDate,tmdbID,imdbID",
        "Heat,1995,3,,949,tt0113277",
        "Seven,1995,2,,,tt0114369",
        "Bare,1995,1,,,",
    ]


async def test_nobody_has_an_empty_export(api: ApiHarness) -> None:
    api.profiles.facts.clear()
    body = (await api.get(EXPORT)).json()
    assert (body["ratings"], body["viewed"], body["user"]["route"]) == ([], [], "popular")
    assert (
        await api.get("/v1/users/42/export?format=letterboxd")
    ).text == "Title,Year,Rating,WatchedDate\r\n"


async def test_an_export_is_whole_or_refused(api: ApiHarness) -> None:
    after = consistency_token.encode({f"ratings:{partition_of(42, 4)}": 3})
    api.live_view.reached = False
    assert (await api.get(f"/v1/users/42/export?after={after}")).json()["user"]["fresh"] is False
    late = await api.get(f"/v1/users/42/export?format=letterboxd&after={after}")
    assert (late.status_code, "ask again" in late.json()["detail"]) == (503, True)
    api.profiles.known = False
    for query in ("", "?format=letterboxd"):
        problem_of(await api.get(EXPORT + query), 503, "store_unavailable")


async def test_another_format_is_an_error_that_names_the_field(api: ApiHarness) -> None:
    assert set(fields_of(await api.get(f"{EXPORT}?format=imdb"))) == {"format"}


async def test_a_viewer_may_be_a_string(api: ApiHarness) -> None:
    api.profiles.facts[GivenId("anna@example.org")] = Ratings({1: 10})
    body = (await api.get("/v1/users/anna@example.org/export")).json()
    assert (body["user"]["user_id"], len(body["ratings"])) == ("anna@example.org", 1)


async def test_the_description_tells_both_forms(api: ApiHarness) -> None:
    paths = (await api.get("/openapi.json")).json()["paths"]
    content = paths["/v1/users/{user_id}/export"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/csv"}


async def test_what_goes_out_can_be_brought_in(api: ApiHarness, tmp_path: Path) -> None:
    path = tmp_path / "marquee-letterboxd.csv"
    path.write_bytes((await api.get("/v1/users/42/export?format=letterboxd")).content)
    known = {
        (r.film.title, r.film.year): (r.half_stars, r.time) for r in read_export(path).records()
    }
    assert known == {
        ("=SUM(A1)", None): (1, None),
        ("Heat", 1995): (10, datetime(2024, 5, 3, tzinfo=UTC)),
        ('I, "Tonya"', 2017): (9, datetime(2024, 5, 2, tzinfo=UTC)),
        TITLES[4]: (None, None),
        ("Ikiru", 1952): (None, None),
    }
