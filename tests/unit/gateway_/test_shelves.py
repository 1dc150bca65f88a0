"""Shelves: ranked rows without a film in two of them, behind rules, for anyone."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.catalogue.popularity import PopularList
from gateway.catalogue.title_index import readable_title
from gateway.recommend.filter_stage import FilterStage, ListRequest, UserContext
from gateway.recommend.shelf_sources import (
    RememberedMovies,
    ShelfSources,
    first_new_year,
    seeds,
)
from gateway.recommend.shelves import MIN_ROW, ShelfMaker
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from gateway.upstream.shelf_calls import SegmentMovies
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.events.types import now
from marquee.features.popularity import MovieSums
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    FakeModels,
    client_of,
    fields_of,
    parts,
)

GENRES = ("Crime", "Drama", "Western", "Comedy", "Horror")
N = 300
FILMS = [
    Movie(
        movie_id=i,
        title=f"Film {i}",
        year=1990 + i % 30,
        genres=(GENRES[i % 5], GENRES[i % 3]) if i % 5 != i % 3 else (GENRES[i % 5],),
    )
    for i in range(1, N + 1)
]
PATH = "/v1/users/7/shelves"


@dataclass
class ShelfModels(FakeModels):
    """Services that rank every film: by falling ids, by distance, by divisibility."""

    down: set[str] = field(default_factory=set)

    async def recommend(
        self, route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        self.calls.append((str(route), Call("POST", "/internal/recommend", request)))
        if str(route) in self.down:
            return Failure(f"{route} is down", unresponsive=True)
        out = {i for i, _ in request["ratings"]}.union(
            request["viewed"], request["dismissed"], request["exclude"]
        )
        left = [i for i in _allowed(request)[::-1] if i not in out]
        reason = Reason.POPULAR if route is Route.POPULAR else Reason.PREDICTED_FOR_YOU
        items = [Scored(i, i / N, reason) for i in left[: request["k"]]]
        return RecommendReply(tuple(items), f"{route}-1")

    async def call(self, service: str, call: Call) -> Reply | Failure:
        self.calls.append((service, call))
        if service in self.down:
            return Failure(f"{service} is down")
        filters = call.body.get("films", call.body)
        left = [i for i in _allowed(filters) if i not in filters["exclude"]]
        if service == "content":
            lists = [
                {"movie_id": seed, "items": _items(sorted(left, key=lambda i: abs(i - seed)), call)}
                for seed in call.body["movie_ids"]
            ]
            return Reply(200, {"lists": lists, "model_version": "c1"})
        items = _items([i for i in left if i % 7 == 0], call)
        return Reply(200, {"segment": 3, "items": items, "model_version": "u1"})


def _allowed(filters: Mapping[str, Any]) -> list[int]:
    allowed = MovieFilter(
        tuple(filters["genres"]),
        filters["year_from"],
        genres_not=tuple(filters.get("genres_not", ())),
    )
    return [f.movie_id for f in FILMS if allowed.allows(Row.of(f))]


def _items(movie_ids: list[int], call: Call) -> list[dict[str, Any]]:
    k = call.body.get("films", call.body)["k"]
    return [{"movie_id": i, "score": 0.5, "reason": "similar_to_viewed"} for i in movie_ids[:k]]


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    context, live_view, profiles, _, publisher = parts()
    live_view.catalogue.replace(map(Row.of, FILMS))
    models = ShelfModels()
    context.orchestrator.models = models
    app = create_app(context)
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, models, publisher)


def rows_of(body: dict[str, Any]) -> dict[str, list[list[int]]]:
    rows: dict[str, list[list[int]]] = {}
    for row in body["rows"]:
        rows.setdefault(row["kind"], []).append([item["movie_id"] for item in row["items"]])
    return rows


async def test_a_viewer_gets_rows_of_many_kinds_with_one_call_of_each(api: ApiHarness) -> None:
    rated = dict.fromkeys(range(10, 250, 12), 10)
    api.profiles.facts[7] = Ratings(rated, watchlist=dict.fromkeys((280, 53, 51, 52)))
    body = (await api.get(f"{PATH}?rows=20&k=6")).json()
    rows = rows_of(body)
    assert body["rows"][0]["kind"] == "for_you"
    assert rows["for_you"] == [[300, 299, 298, 297, 296, 295]]
    # In the order of the viewer's own list, then newest first.
    assert rows["watchlist"] == [[280, 52, 51, 53]]
    assert [len(row) for row in rows["because_you_liked"]] == [6, 6, 6]
    assert {"genre", "new", "segment", "popular"} <= rows.keys()
    assert all(i % 7 == 0 for i in rows["segment"][0])
    shown = [i for kind in rows.values() for row in kind for i in row]
    assert len(shown) == len(set(shown))
    assert not set(shown) & set(rated)
    assert [name for name, _ in api.models.calls] == ["neural", "neural", "content", "user-model"]
    assert not body["degraded"]


async def test_the_viewers_own_list_is_asked_for_before_other_lists_are_prepared(
    api: ApiHarness,
) -> None:
    class SentInTheNextTurn(ShelfModels):
        async def recommend(
            self, route: Route, request: Mapping[str, Any], seconds: float
        ) -> RecommendReply | Failure:
            await asyncio.sleep(0)
            return await super().recommend(route, request, seconds)

    models = api.app.state.context.orchestrator.models = SentInTheNextTurn()
    api.profiles.facts[7] = Ratings(dict.fromkeys(range(10, 250, 12), 10))
    await api.get(PATH)
    assert sorted(name for name, _ in models.calls) == ["content", "neural", "neural", "user-model"]
    assert models.calls[0][0] == "neural"


async def test_rows_say_what_they_are_of_for_machines_and_for_people(api: ApiHarness) -> None:
    api.live_view.catalogue.put(
        Row.of(Movie(movie_id=29, title="Matrix, The", year=1999, genres=("Crime",)))
    )
    api.profiles.facts[7] = Ratings(dict.fromkeys(range(5, 30, 6), 8) | {29: 10}, {30: None})
    rows = (await api.get(f"{PATH}?rows=20&k=5")).json()["rows"]
    of_matrix = next(row for row in rows if row["movie"] and row["movie"]["movie_id"] == 29)
    assert of_matrix["title"] == "Because you liked The Matrix"
    assert of_matrix["movie"]["title"] == "Matrix, The"
    assert of_matrix["items"][0]["reason"] == "because_you_liked"
    assert of_matrix["items"][0]["because"] == [
        {"movie_id": 29, "title": "Matrix, The", "weight": 1.0}
    ]
    genre = next(row for row in rows if row["kind"] == "genre")
    assert genre["title"] == f"{genre['genre']} for you"
    assert all(genre["genre"] in item["genres"] for item in genre["items"])
    assert [row["segment"] for row in rows if row["kind"] == "segment"] == [3]
    new = next(row for row in rows if row["kind"] == "new")
    assert min(item["year"] for item in new["items"]) >= 2016


async def test_a_viewer_who_only_viewed_is_told_what_they_watched(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({}, {30: None})
    rows = (await api.get(PATH)).json()["rows"]
    [row] = [row for row in rows if row["movie"]]
    assert (row["kind"], row["title"]) == ("because_you_viewed", "Because you watched Film 30")


async def test_a_viewer_of_whom_nothing_is_known_gets_popular_rows_by_one_call(
    api: ApiHarness,
) -> None:
    body = (await api.get(f"{PATH}?k=5")).json()
    kinds = [row["kind"] for row in body["rows"]]
    assert (kinds[0], set(kinds)) == ("popular", {"popular", "genre", "new"})
    assert all(len(row["items"]) == 5 for row in body["rows"])
    assert next(r for r in body["rows"] if r["kind"] == "genre")["title"].startswith("Popular in ")
    assert [name for name, _ in api.models.calls] == ["popular"]


async def test_without_any_service_there_are_still_rows_and_the_answer_says_so(
    api: ApiHarness,
) -> None:
    assert isinstance(api.models, ShelfModels)
    api.models.down = {"content", "user-model", *map(str, Route)}
    api.profiles.facts[7] = Ratings(dict.fromkeys(range(1, 30), 10))
    body = (await api.get(f"{PATH}?k=5")).json()
    assert body["degraded"]
    whys = " ".join(fallback["why"] for fallback in body["fallbacks"])
    assert "rows of similar films: content is down" in whys
    assert "the row of a segment: user-model is down" in whys
    assert {row["kind"] for row in body["rows"]} == {"popular", "genre", "new"}
    assert all(len(row["items"]) == 5 for row in body["rows"])


async def test_filters_rules_and_exclusions_hold_on_every_row(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings(dict.fromkeys(range(1, 30), 10), dismissed={298: None})
    blocked = {299: MovieRules.parse(orjson.dumps({"block": {"movie_id": 299}}))}
    promoted = {31: MovieRules.parse(orjson.dumps({"promotion": {"movie_id": 31, "slots": [2]}}))}
    api.profiles.rules = Rules({**blocked, **promoted})
    body = (await api.get(f"{PATH}?rows=20&k=5&genre_not=Horror&exclude=297")).json()
    items = [item for row in body["rows"] for item in row["items"]]
    assert not {298, 299, 297} & {item["movie_id"] for item in items}
    assert not any("Horror" in item["genres"] for item in items)
    assert [(i["movie_id"], i["reason"]) for i in items if i["promoted"]] == [(31, "promoted")]
    assert body["rows"][0]["items"][1]["movie_id"] == 31


async def test_what_is_wrong_is_refused_by_name(api: ApiHarness) -> None:
    for wrong, name in (("rows=0", "rows"), ("k=41", "k"), ("genre=Noir", "genre.0")):
        assert name in fields_of(await api.get(f"{PATH}?{wrong}"))


@pytest.mark.parametrize("rows", [1, 3, 8])
async def test_there_are_no_more_rows_than_asked_for(api: ApiHarness, rows: int) -> None:
    api.profiles.facts[7] = Ratings(dict.fromkeys(range(1, 30), 10))
    assert len((await api.get(f"{PATH}?rows={rows}")).json()["rows"]) == rows


@pytest.mark.parametrize(
    ("title", "readable"),
    [
        ("Matrix, The", "The Matrix"),
        ("Boot, Das (Boat, The)", "Das Boot"),
        ("Seven (a.k.a. Se7en)", "Seven"),
        ("Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il)",
         "The Good, the Bad and the Ugly"),
        ("Avventura, L' (Adventure, The)", "L'Avventura"),
        ("Me, Myself & Irene", "Me, Myself & Irene"),
        ("(500) Days of Summer", "(500) Days of Summer"),
    ],
)  # fmt: skip
def test_titles_are_written_as_they_are_spoken(title: str, readable: str) -> None:
    assert readable_title(title) == readable


def test_films_of_a_source_are_made_once_however_many_read_them() -> None:
    made: list[int] = []

    def films() -> Iterator[Scored]:
        for i in range(1, 5):
            made.append(i)
            yield Scored(i, 0.5, Reason.POPULAR)

    movies = RememberedMovies(films())
    first, second = iter(movies), iter(movies)
    assert [next(first).movie_id, next(first).movie_id, next(second).movie_id] == [1, 2, 1]
    assert made == [1, 2]
    assert [item.movie_id for item in second] == [2, 3, 4]
    assert [item.movie_id for item in first] == [3, 4]
    assert [item.movie_id for item in movies] == made == [1, 2, 3, 4]


# --- whatever is known of a viewer

IDS = st.integers(1, N)


@settings(max_examples=80)
@given(
    st.dictionaries(IDS, st.integers(1, 10), max_size=60),
    st.lists(IDS, max_size=10),
    st.lists(IDS, max_size=10),
    st.lists(IDS, max_size=200, unique=True),
    st.frozensets(IDS, max_size=20),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from([MovieFilter(), MovieFilter(("Crime",)), MovieFilter(year_from=2018)]),
)
def test_rows_are_full_distinct_and_allowed_for_any_viewer(
    rated: dict[int, int],
    viewed: list[int],
    watchlist: list[int],
    ranking: list[int],
    blocked: frozenset[int],
    rows: int,
    k: int,
    allowed: MovieFilter,
) -> None:
    facts = Ratings(rated, dict.fromkeys(viewed), watchlist=dict.fromkeys(watchlist))
    catalogue = Catalogue(map(Row.of, FILMS))
    sums = MovieSums()
    sums.replace(0, {i: RatingSums(9, i % 9, 60) for i in range(1, N + 1)})
    popular = PopularList(catalogue, sums)
    rules = Rules({i: MovieRules.parse(orjson.dumps({"block": {"movie_id": i}})) for i in blocked})
    ranked = [Scored(i, 1.0, Reason.PREDICTED_FOR_YOU) for i in ranking]
    similar = dict.fromkeys(seeds(facts, popular), ranked[::-1])
    segment = SegmentMovies(3, tuple(ranked[::2]))
    new_from = first_new_year(catalogue, allowed, k)
    new = [item for item in ranked if new_from and 1990 + item.movie_id % 30 >= new_from]
    sources = ShelfSources(
        facts, popular, allowed, ranked, similar, segment, bool(rated), new, new_from
    )
    stage = FilterStage(rules, catalogue, now())
    maker = ShelfMaker(stage, UserContext(facts), ListRequest(k, allowed), ranked)
    shelves = maker.shelves(sources.all(), rows)
    shown = [item.movie_id for shelf in shelves for item in shelf.filtered.items]
    assert len(shown) == len(set(shown))
    assert not set(shown) & (facts.seen | blocked)
    assert all(allowed.allows(row) for i in shown if (row := catalogue.get(i)))
    may_be_shown = [
        f.movie_id
        for f in FILMS
        if f.movie_id not in facts.seen | blocked and allowed.allows(Row.of(f))
    ]
    assert bool(shelves) == bool(may_be_shown)
    assert len(shelves) <= rows
    if len(shelves) > 1:
        assert min(len(shelf.filtered.items) for shelf in shelves) >= min(k, MIN_ROW)
