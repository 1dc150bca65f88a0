"""Watchlists: written as events, read in pages, and a filter of a viewer's list."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api.watchlists import MAX_WATCHLIST
from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.catalogue.popularity import PopularList
from gateway.http.pagination import paginate
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.events import WatchlistAdded, WatchlistRemoved
from marquee.features.popularity import MovieSums
from marquee_testing.fakes.gateway_api import (
    MOVIES,
    ApiHarness,
    fields_of,
    movie_ids,
    problem_of,
)

VIEWER = "/v1/users/7"


async def test_a_film_is_put_on_a_watchlist_and_taken_off(api: ApiHarness) -> None:
    put = await api.client.put(f"{VIEWER}/watchlist/5?recommendation_id=r-1")
    assert put.status_code == 202
    assert put.json()["token"]
    await api.client.delete(f"{VIEWER}/watchlist/5")
    added, removed = api.publisher.events
    assert isinstance(added, WatchlistAdded)
    assert isinstance(removed, WatchlistRemoved)
    assert (added.data.user_id, added.data.movie_id) == (7, 5)
    assert added.data.recommendation_id == "r-1"
    assert added.key == removed.key == "7"


async def test_a_film_that_nobody_knows_is_not_put_but_may_be_taken_off(api: ApiHarness) -> None:
    problem_of(await api.client.put(f"{VIEWER}/watchlist/99"), 404, "not_found")
    assert (await api.client.delete(f"{VIEWER}/watchlist/99")).status_code == 202


async def test_a_full_watchlist_takes_what_it_has_already(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings(watchlist=dict.fromkeys(range(2, MAX_WATCHLIST + 2)))
    full = problem_of(await api.client.put(f"{VIEWER}/watchlist/1"), 409, "conflict")
    assert full["detail"] == "the watchlist has 1,000 films: take one off first"
    assert (await api.client.put(f"{VIEWER}/watchlist/2")).status_code == 202


async def test_a_watchlist_is_read_newest_first_in_pages_and_says_what_was_seen(
    api: ApiHarness,
) -> None:
    listed = dict.fromkeys((1, 99, 3, 4))
    api.profiles.facts[7] = Ratings({3: 8}, {1: None}, watchlist=listed)
    first = (await api.get(f"{VIEWER}/watchlist?limit=3")).json()
    assert [(i["movie_id"], i["title"], i["seen"]) for i in first["items"]] == [
        (4, "Film 4", False),
        (3, "Film 3", True),
        (99, None, False),
    ]
    second = (await api.get(f"{VIEWER}/watchlist?limit=3&cursor={first['next_cursor']}")).json()
    assert ([i["movie_id"] for i in second["items"]], second["next_cursor"]) == ([1], None)
    assert movie_ids(await api.get(f"{VIEWER}/watchlist?genre=Drama")) == [4]
    assert (await api.get(VIEWER)).json()["watchlist"] == 4


async def test_lists_are_of_the_watchlist_alone_or_without_it(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({38: 9}, watchlist=dict.fromkeys((5, 40, 38, 39, 6)))
    path = f"{VIEWER}/recommendations?k=3"
    assert movie_ids(await api.get(path)) == [40, 39, 37]
    assert movie_ids(await api.get(f"{path}&watchlist=exclude")) == [37, 36, 35]
    only = await api.get(f"{path}&watchlist=only")
    assert movie_ids(only) == [40, 39, 6]
    cursor = only.json()["next_cursor"]
    last = await api.get(f"{path}&watchlist=only&cursor={cursor}")
    assert (movie_ids(last), last.json()["next_cursor"]) == ([5], None)
    assert "cursor" in fields_of(await api.get(f"{path}&watchlist=exclude&cursor={cursor}"))
    assert "watchlist" in fields_of(await api.get(f"{path}&watchlist=not"))


async def test_a_list_of_an_empty_watchlist_says_why_it_is_empty(api: ApiHarness) -> None:
    body = (await api.get(f"{VIEWER}/recommendations?watchlist=only")).json()
    assert body["items"] == []
    assert body["reason"].startswith("no film of the watchlist is left that passes")


async def test_an_export_has_the_watchlist(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings(watchlist={5: None, 6: None})
    body = (await api.get(f"{VIEWER}/export")).json()
    assert [film["title"] for film in body["watchlist"]] == ["Film 6", "Film 5"]


CHANGES = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 40)), max_size=1)


@settings(max_examples=300)
@given(st.lists(CHANGES, max_size=7), st.integers(1, 9))
def test_pages_of_the_newest_first_skip_and_repeat_nothing_that_stayed(
    between: list[list[tuple[str, int]]], limit: int
) -> None:
    facts = Ratings(watchlist=dict.fromkeys(range(30)))
    stayed, shown, cursor = set(range(30)), [], None
    while True:
        page, cursor = paginate(reversed(facts.watchlist), limit, cursor)
        shown += page
        if cursor is None:
            break
        for change, movie_id in between.pop() if between else ():
            stayed.discard(movie_id)
            (facts.list_for_later if change == "add" else facts.unlist)(movie_id)
    assert len(shown) == len(set(shown))
    assert stayed <= set(shown)


def test_films_of_a_filter_by_ids_are_found_in_rows_and_in_the_table() -> None:
    catalogue = Catalogue(map(Row.of, MOVIES))
    allowed = MovieFilter(("Crime",), only=frozenset((1, 2, 3, 77)))
    assert {row.movie_id for row in catalogue if allowed.allows(row)} == {1, 3}
    popular = PopularList(catalogue, MovieSums())
    assert {row.movie_id for row in popular.rows(allowed)} == {1, 3}
    catalogue.put(Row.of(Movie(movie_id=77, title="New", genres=("Crime",))))
    assert {row.movie_id for row in popular.rows(allowed)} == {1, 3, 77}
