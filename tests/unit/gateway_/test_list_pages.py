"""Pages of ranked lists: no film twice, none that may not be shown, none skipped."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import create_app
from gateway.catalogue.catalogue import Row
from gateway.http.shown_cursor import MAX_CURSOR, MAX_SHOWN, cursor_of, list_digest, shown_of
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Failure, RecommendReply
from marquee.domain.ids import number_of
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.errors import InvalidInput
from marquee_testing.fakes.gateway_api import (
    MOVIES,
    ApiHarness,
    FakeModels,
    client_of,
    fields_of,
    movie_ids,
    parts,
)

VIEWER = "/v1/users/7/recommendations"
MOVIE_IDS = st.integers(1, len(MOVIES))
LIST = list_digest("a list")


# --- the cursor


@given(st.frozensets(st.integers(-(2**63), 2**63 - 1), max_size=60))
def test_a_cursor_gives_back_the_films_that_it_was_made_of(shown: frozenset[int]) -> None:
    assert shown_of(cursor_of(shown, LIST), LIST) == shown


def test_a_cursor_of_the_deepest_page_fits() -> None:
    strings = {number_of(f"tt{i:07}") for i in range(MAX_SHOWN)}
    assert len(strings) == MAX_SHOWN
    assert len(cursor_of(strings, LIST)) <= MAX_CURSOR
    assert len(cursor_of(range(0, 60_000, 120), LIST)) < 900


@given(st.frozensets(st.integers(1, 10**6), max_size=9), st.data())
def test_a_cursor_with_a_changed_character_is_refused(shown: frozenset[int], data: Any) -> None:
    cursor = cursor_of(shown, LIST)
    place = data.draw(st.integers(0, len(cursor) - 2))
    other = data.draw(st.sampled_from("AZaz09-_").filter(lambda c: c != cursor[place]))
    with pytest.raises(InvalidInput, match="not a cursor|of another list"):
        shown_of(cursor[:place] + other + cursor[place + 1 :], LIST)


@given(st.text(max_size=40))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a cursor"):
        shown_of(text, LIST)


def test_a_cursor_is_of_one_list() -> None:
    with pytest.raises(InvalidInput, match="of another list"):
        shown_of(cursor_of({1}, LIST), list_digest("another list"))


# --- pages of each call


async def _pages(api: ApiHarness, path: str) -> list[list[int]]:
    pages: list[list[int]] = []
    cursor = None
    while not pages or cursor is not None:
        response = await api.get(f"{path}&cursor={cursor}" if cursor else path)
        pages.append(movie_ids(response))
        assert len(pages) <= MAX_SHOWN, "the list has no end"
        cursor = response.json()["next_cursor"]
    return pages


async def test_the_pages_of_a_viewer_are_one_long_list(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({40: 10, 39: 2})
    pages = await _pages(api, f"{VIEWER}?k=7")
    assert [i for page in pages for i in page] == list(range(38, 0, -1))
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 3]


async def test_a_list_that_ends_with_a_full_page_says_so_on_that_page(api: ApiHarness) -> None:
    assert [len(page) for page in await _pages(api, f"{VIEWER}?k=20")] == [20, 20]
    assert [len(page) for page in await _pages(api, f"{VIEWER}?k=20&genre=Crime")] == [20]


async def test_pages_may_differ_in_their_length(api: ApiHarness) -> None:
    first = (await api.get(f"{VIEWER}?k=2")).json()
    second = await api.get(f"{VIEWER}?k=5&cursor={first['next_cursor']}")
    assert movie_ids(second) == [38, 37, 36, 35, 34]


async def test_anyone_and_sessions_have_pages(api: ApiHarness) -> None:
    first = (await api.get("/v1/recommendations?viewed=40&k=3")).json()
    # What the session has seen since is not shown, and does not make it another list.
    path = f"/v1/recommendations?viewed=40&viewed=36&k=3&cursor={first['next_cursor']}"
    assert movie_ids(await api.get(path)) == [35, 34, 33]
    body: dict[str, Any] = {"ratings": [{"movie_id": 40, "rating": 5}], "genres": ["crime"], "k": 2}
    first = (await api.client.post("/v1/recommendations", json=body)).json()
    body["ratings"].append({"movie_id": 35, "rating": 1})
    second = await api.client.post(
        "/v1/recommendations", json=body | {"cursor": first["next_cursor"]}
    )
    assert movie_ids(second) == [33, 31]


async def test_similar_films_have_pages_also_without_the_service(api: ApiHarness) -> None:
    pages = await _pages(api, "/v1/movies/5/similar?k=16")
    shown = [i for page in pages for i in page]
    assert sorted(shown) == [i for i in range(1, 41) if i != 5]
    assert shown[:19] == [i for i in range(1, 41, 2) if i != 5]


@pytest.mark.parametrize(
    "changed",
    ["genre=Drama", "genre_not=Crime", "year_to=2000", "exclude=3", "diversity=0.5", "tag=a"],
)
async def test_the_filters_of_all_pages_are_equal(api: ApiHarness, changed: str) -> None:
    api.live_view.catalogue.put(Row.of(Movie(movie_id=50, title="T", tags={"a": 0.9})))
    cursor = (await api.get(f"{VIEWER}?k=2")).json()["next_cursor"]
    for path in (f"{VIEWER}?{changed}", "/v1/users/8/recommendations?", "/v1/recommendations?"):
        response = await api.get(f"{path}&cursor={cursor}")
        assert "of its first page" in fields_of(response)["cursor"]["detail"]
    assert movie_ids(await api.get(f"{VIEWER}?k=1&explain=true&cursor={cursor}")) == [38]


async def test_a_list_has_five_hundred_films_at_most(api: ApiHarness) -> None:
    for i in range(100, 1000):
        api.live_view.catalogue.put(Row.of(Movie(movie_id=i, title=f"Film {i}")))
    pages = await _pages(api, "/v1/movies/5/similar?k=90")
    assert [len(page) for page in pages] == [90] * 6  # the page that passes 500 is a whole one


async def test_promotions_take_ranks_of_the_whole_list(api: ApiHarness) -> None:
    promoted: dict[int, dict[str, Any]] = {
        1: {"slots": [2]},
        2: {"slots": [7]},
        3: {},
        4: {"weight": 0.5},
    }
    rules = {i: MovieRules.parse(_promotion(i, fields)) for i, fields in promoted.items()}
    api.profiles.rules = Rules.of([rules])
    pages = await _pages(api, f"{VIEWER}?k=5")
    assert pages[:2] == [[3, 1, 40, 39, 4], [38, 2, 37, 36, 35]]
    first = (await api.get(f"{VIEWER}?k=5")).json()
    second = await api.get(f"{VIEWER}?k=5&explain=true&cursor={first['next_cursor']}")
    [placed] = second.json()["explain"]["placed"]
    assert (placed["movie_id"], placed["rank"]) == (2, 7)


def _promotion(movie_id: int, fields: Mapping[str, Any]) -> bytes:
    import orjson

    return orjson.dumps({"promotion": {"movie_id": movie_id, **fields}})


# --- whatever happens between two pages


@dataclass
class Ranked(FakeModels):
    """A service that ranks in an order that a publication may change."""

    order: list[int] = field(default_factory=lambda: [m.movie_id for m in MOVIES])
    is_down: bool = False

    async def recommend(
        self, route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        if self.is_down:
            return Failure("it is down", unresponsive=True)
        out = {i for i, _ in request["ratings"]}.union(
            request["viewed"], request["dismissed"], request["exclude"]
        )
        items = [Scored(i, 1.0, Reason.PREDICTED_FOR_YOU) for i in self.order if i not in out]
        return RecommendReply(tuple(items[: request["k"]]), f"{route}-1")


@dataclass
class Story:
    """A viewer's list, page by page, while viewer, curators, services and catalogue change."""

    facts: Ratings = field(default_factory=Ratings)
    blocked: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    models: Ranked = field(default_factory=Ranked)

    def rate(self, movie_id: int) -> None:
        self.facts.rate(movie_id, movie_id % 10 + 1)

    def view(self, movie_id: int) -> None:
        self.facts.view(movie_id)

    def dismiss(self, movie_id: int) -> None:
        self.facts.dismiss(movie_id)

    def unrate(self, movie_id: int) -> None:
        self.facts.unrate(movie_id)

    def block(self, movie_id: int) -> None:
        self.blocked ^= {movie_id}

    def publish(self, seed: int) -> None:
        self.models.order.sort(key=lambda i: (i * seed) % 41)

    def stop_or_start(self, _: int) -> None:
        self.models.is_down = not self.models.is_down

    def remove(self, movie_id: int) -> None:
        self.removed.add(movie_id)

    @property
    def forbidden(self) -> set[int]:
        return self.facts.seen | self.blocked | self.removed


HAPPENS: tuple[Callable[[Story, int], None], ...] = (
    Story.rate, Story.view, Story.dismiss, Story.unrate, Story.block, Story.publish,
    Story.stop_or_start, Story.remove,
)  # fmt: skip
BETWEEN = st.lists(st.tuples(st.sampled_from(HAPPENS), MOVIE_IDS), max_size=5)


@settings(max_examples=60)
@given(st.lists(BETWEEN, max_size=8), st.integers(1, 9), st.sampled_from(["", "Crime", "Drama"]))
def test_pages_repeat_nothing_skip_nothing_and_obey(
    between: list[list[tuple[Callable[[Story, int], None], int]]], k: int, genre: str
) -> None:
    asyncio.run(_read_pages(between, k, genre))


async def _read_pages(
    between: list[list[tuple[Callable[[Story, int], None], int]]], k: int, genre: str
) -> None:
    context, live_view, profiles, _, _ = parts()
    story, shown, cursor = Story(), [], None
    context.orchestrator.models = story.models
    parameters = {"k": k} | ({"genre": genre} if genre else {})
    profiles.facts[7] = story.facts
    of_genre = {m.movie_id for m in MOVIES if not genre or genre in m.genres}
    async with client_of(create_app(context)) as client:
        while True:
            query = parameters | ({"cursor": cursor} if cursor else {})
            body = (await client.get(VIEWER, params=query)).json()
            page, left = [item["movie_id"] for item in body["items"]], of_genre - story.forbidden
            assert not story.forbidden.intersection(page)
            shown += page
            assert len(shown) == len(set(shown))
            # A page is full while there are films, and the list ends when there are none.
            assert len(page) == min(k, len(left.difference(shown[: len(shown) - len(page)])))
            cursor = body["next_cursor"]
            assert (cursor is None) == (left <= set(shown))
            if cursor is None:
                return
            for happens, movie_id in between.pop(0) if between else ():
                happens(story, movie_id)
            _apply(story, profiles, live_view.catalogue)


def _apply(story: Story, profiles: Any, catalogue: Any) -> None:
    import orjson

    rows = {i: orjson.dumps({"block": {"movie_id": i}}) for i in story.blocked}
    profiles.rules = Rules.of([{i: MovieRules.parse(row) for i, row in rows.items()}])
    for movie_id in story.removed:
        catalogue.remove(movie_id)


# --- the catalogue


FILMS = st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=6)


@settings(max_examples=60)
@given(st.lists(FILMS, max_size=10), st.integers(1, 9), st.sampled_from(["", "film", "Film 2"]))
def test_pages_of_the_catalogue_hold_while_films_come_and_go(
    between: list[list[tuple[bool, int]]], limit: int, query: str
) -> None:
    asyncio.run(_read_catalogue(between, limit, query))


async def _read_catalogue(between: list[list[tuple[bool, int]]], limit: int, query: str) -> None:
    context, live_view, _, _, _ = parts()
    catalogue, sums, clock = live_view.catalogue, live_view.popular.sums, range(1, 41)
    for movie_id in clock:
        likes = movie_id % 4
        sums.put(0, movie_id, RatingSums(5, likes, 20 + movie_id % 3))
        live_view.popular.update(movie_id)
    ever = always = _named(catalogue, query)
    shown: list[int] = []
    cursor = None
    async with client_of(create_app(context)) as client:
        while True:
            parameters = {
                "limit": str(limit),
                "query": query,
                **({"cursor": cursor} if cursor else {}),
            }
            body = (await client.get("/v1/movies", params=parameters)).json()
            shown += [item["movie_id"] for item in body["items"]]
            assert len(shown) == len(set(shown))
            assert set(shown) <= ever
            cursor = body["next_cursor"]
            if cursor is None:
                break
            for is_added, movie_id in between.pop(0) if between else ():
                if is_added and movie_id not in catalogue:
                    catalogue.put(Row.of(Movie(movie_id=movie_id, title=f"Film {movie_id}")))
                elif not is_added:
                    catalogue.remove(movie_id)
            present = _named(catalogue, query)
            ever, always = ever | present, always & present
    assert always <= set(shown)


def _named(catalogue: Any, query: str) -> set[int]:
    return set(catalogue.search(query)) if query else {row.movie_id for row in catalogue}


@pytest.mark.parametrize("cursor", ["nonsense", "YWZ0ZXIgNw", "YWZ0ZXIgMTpuYW46Mw"])
@pytest.mark.parametrize("query", ["", "film"])
async def test_what_is_no_cursor_of_the_catalogue_is_refused(
    api: ApiHarness, cursor: str, query: str
) -> None:
    response = await api.get(f"/v1/movies?query={query}&cursor={cursor}")
    assert "not a cursor" in fields_of(response)["cursor"]["detail"]
