"""Python's client reads what a whole running system answers, with models, call by call."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest

from marquee_client import Marquee

pytestmark = pytest.mark.timeout(1500)

LIKED = {1: 5, 260: 5, 1196: 4.5, 480: 4, 589: 4, 1210: 4.5, 2571: 5, 593: 2}
"""Films of ml-latest-small with stars."""


@pytest.fixture
def marquee(marquee_url: str) -> Iterator[Marquee]:
    with Marquee(marquee_url, timeout=60) as client:
        yield client


@pytest.fixture
def viewer(marquee: Marquee, new_user: int) -> int:
    """A viewer with ratings, and films on the watchlist."""
    for movie_id, rating in LIKED.items():
        marquee.rate(new_user, movie_id, rating)
    for movie_id in (2959, 318, 858):
        marquee.add_to_watchlist(new_user, movie_id)
    return new_user


def ids(answer: Any) -> list[Any]:
    return [item.movie_id for item in answer.items]


def test_lists_and_their_pages(marquee: Marquee, viewer: int) -> None:
    pages = list(islice(marquee.recommendation_pages(viewer, k=20), 3))
    shown = [movie_id for page in pages for movie_id in ids(page)]
    assert len({*shown}) == len(shown) == 60
    assert not {*shown} & {*LIKED}
    assert pages[0].route == "user-cluster"
    assert pages[0].fresh
    assert pages[0].items[0].because
    assert all("Comedy" in film.genres for film in marquee.recommend(viewer, genres="Comedy").items)
    explained = marquee.recommend(viewer, k=3, explain=True, diversity=0.5)
    assert explained.explain is not None
    session = marquee.recommend_session(ratings=[{"movie_id": 1, "rating": 5}], k=5)
    assert len(session.items) == 5
    alike = [ids(page) for page in islice(marquee.similar_pages(260, k=10), 2)]
    assert len({*alike[0], *alike[1]}) == 20


def test_rows_of_a_page(marquee: Marquee, viewer: int) -> None:
    shelves = marquee.shelves(viewer, rows=20, k=10)
    kinds = [row.kind for row in shelves.rows]
    assert kinds[0] == "for_you"
    assert {"because_you_liked", "genre", "new", "popular"} <= {*kinds}
    films = [film.movie_id for row in shelves.rows for film in row.items]
    assert len({*films}) == len(films)
    liked = next(row for row in shelves.rows if row.kind == "because_you_liked")
    assert liked.movie is not None
    assert liked.movie.movie_id in LIKED


def test_expected_ratings(marquee: Marquee, viewer: int) -> None:
    known = marquee.predict([318, 1210], user_id=viewer)
    assert [item.movie_id for item in known.items] == [318, 1210]
    assert all(0.5 <= (item.rating or 0) <= 5 for item in known.items)
    assert not known.degraded
    session = marquee.predict([318], ratings=[{"movie_id": 1, "rating": 5}])
    assert 0 < session.items[0].confidence <= 1


def test_lists_of_several(marquee: Marquee, viewer: int) -> None:
    together = marquee.together([viewer, 42], k=5)
    assert len(together.items) == 5
    for film in together.items:
        assert [rating.user_id for rating in film.ratings] == [viewer, 42]
        assert film.least_rating is not None
        assert film.mean_rating is not None
        assert film.least_rating <= film.mean_rating
    batch = marquee.batch([viewer, 42, "no id!"], k=3, watchlist="exclude")
    assert (batch.lists, batch.problems) == (2, 1)
    assert batch.items[2].problem is not None
    assert batch.items[2].problem.status == 422


def test_watchlist_ratings_and_export(marquee: Marquee, viewer: int) -> None:
    kept = [film for page in marquee.watchlist_pages(viewer, limit=2) for film in page.items]
    assert [film.movie_id for film in kept] == [858, 318, 2959]
    assert not any(film.seen for film in kept)
    rated = [film for page in marquee.rating_pages(viewer, limit=5) for film in page.items]
    assert {film.movie_id: film.rating for film in rated} == LIKED
    only = marquee.recommend(viewer, watchlist="only", k=10)
    assert {*ids(only)} == {858, 318, 2959}
    export = marquee.export(viewer)
    assert {film.movie_id: film.rating for film in export.ratings} == LIKED
    assert [film.movie_id for film in export.watchlist] == [858, 318, 2959]
    user = marquee.user(viewer)
    assert (user.ratings, user.watchlist, user.fresh) == (len(LIKED), 3, True)


@pytest.mark.parametrize("kind", ["movies", "users"])
def test_segments(marquee: Marquee, kind: Any) -> None:
    segments = marquee.segments(kind)
    assert segments.kind == kind
    first = segments.items[0]
    assert first.typical[0].title
    pages = list(islice(marquee.segment_pages(kind, first.id, k=5), 2))
    shown = [movie_id for page in pages for movie_id in ids(page)]
    assert len({*shown}) == len(shown) == 10
    assert marquee.recommend_segment(kind, first.id, k=5).items == pages[0].items


def test_the_catalogue(marquee: Marquee) -> None:
    assert marquee.movie(260).title == "Star Wars: Episode IV - A New Hope"
    assert "Sci-Fi" in [genre.name for genre in marquee.genres().items]
    found = [ids(page) for page in islice(marquee.search_pages("star wars", limit=3), 2)]
    assert len({*found[0], *found[1]}) == 6


def test_a_list_is_followed(marquee: Marquee, viewer: int) -> None:
    with closing(marquee.follow(viewer, k=5)) as lists:
        film = next(lists).items[0].movie_id
        marquee.dismiss(viewer, film)
        # Services may still be catching up with the ratings: then lists with the film come first.
        while film in (shown := ids(next(lists))):
            pass
        assert len(shown) == 5


def test_what_holds_still_is_not_sent_again(
    marquee_url: str, viewer: int, wait_until: Callable[..., float]
) -> None:
    with Marquee(marquee_url, timeout=60, kept_answers=100) as client:
        # The same object: the gateway answered 304.
        assert client.movie(1) is client.movie(1)
        wait_until(lambda: client.shelves(viewer) is client.shelves(viewer))
        wait_until(lambda: client.recommend(viewer) is client.recommend(viewer))
