"""Lists that Python's clients follow, and answers that they keep, at a gateway on a real Valkey."""

import asyncio
import threading
from contextlib import aclosing, closing
from typing import Any

import httpx
import pytest

from marquee_client import (
    AsyncMarquee,
    FollowingEnded,
    Forbidden,
    InvalidInput,
    Marquee,
    NoAnswer,
    Retries,
    UnreadableAnswer,
)
from marquee_local.servers import free_port
from marquee_testing.servers.fault_proxy import Link
from marquee_testing.servers.ranked_films import FILMS
from marquee_testing.servers.shop import Shop
from marquee_testing.waiting import DEADLINE_S, PATIENCE

SECONDS = DEADLINE_S * PATIENCE
QUICK = Retries(first_s=0.01)


def ids(answer: Any) -> list[Any]:
    return [item.movie_id for item in answer.items]


def test_the_list_comes_anew_after_each_write(marquee: Marquee, user: int) -> None:
    with closing(marquee.follow(user, k=3)) as lists:
        for _ in range(3):
            shown = next(lists)
            assert shown.user_id == user
            assert len(shown.items) == 3
            marquee.dismiss(user, shown.items[0].movie_id)
        assert ids(next(lists)) == [FILMS - 3, FILMS - 4, FILMS - 5]


async def test_coroutines_follow_while_others_write(shop: Shop, user: int) -> None:
    async with AsyncMarquee(shop.url, key=shop.key) as marquee:
        first = asyncio.Event()

        async def write() -> None:
            await first.wait()
            await marquee.rate(user, FILMS, 4)

        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
            tasks.create_task(write())
            shown = []
            async with aclosing(marquee.follow(user, k=2)) as lists:
                async for answer in lists:
                    shown.append(ids(answer))
                    first.set()
                    if len(shown) == 2:
                        break
        assert shown == [[FILMS, FILMS - 1], [FILMS - 1, FILMS - 2]]


def test_a_broken_connection_goes_on_after_the_last_list(
    shop: Shop, marquee: Marquee, link: Link, user: int
) -> None:
    with (
        Marquee(f"http://{link.address}", key=shop.key, retries=QUICK) as client,
        closing(client.follow(user, k=2)) as lists,
    ):
        assert ids(next(lists)) == [FILMS, FILMS - 1]
        link.reset()
        # The same list is not told again: the next one that comes is another.
        writer = threading.Thread(target=marquee.view, args=(user, FILMS))
        writer.start()
        assert ids(next(lists)) == [FILMS - 1, FILMS - 2]
        writer.join()


def test_an_erasure_ends_it_and_says_why(marquee: Marquee, user: int) -> None:
    marquee.rate(user, 1, 5)
    with closing(marquee.follow(user, k=1)) as lists:
        next(lists)
        marquee.erase(user)
        with pytest.raises(FollowingEnded, match="erased"):
            list(lists)


def test_what_is_refused_is_an_exception(shop: Shop, marquee: Marquee, user: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        next(marquee.follow(user, k=1000))
    assert [field.field for field in caught.value.fields] == ["k"]
    token = marquee.viewer_token(user).token
    with Marquee(shop.url, key=token) as page, pytest.raises(Forbidden):
        next(page.follow(user + 1))


def test_nothing_to_connect_to_ends_with_the_retries(user: int) -> None:
    quick = Retries(attempts=2, first_s=0.01)
    nowhere = Marquee(f"http://127.0.0.1:{free_port()}", retries=quick)
    with nowhere, pytest.raises(NoAnswer):
        next(nowhere.follow(user))


def test_an_answer_that_is_no_stream_is_told(shop: Shop, user: int) -> None:
    # The prefix of another system: the page of the docs is no stream.
    class Elsewhere(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(path="/v1/genres", query=None)
            return super().handle_request(request)

    client = Marquee(shop.url, key=shop.key, transport=Elsewhere())
    with client, pytest.raises(UnreadableAnswer, match="no stream"):
        next(client.follow(user))


class Counted(httpx.HTTPTransport):
    """Connections that note the statuses of answers."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        self.statuses.append(response.status_code)
        return response


def test_an_answer_that_still_holds_is_not_sent_again(shop: Shop, user: int) -> None:
    counted = Counted()
    with Marquee(shop.url, key=shop.key, transport=counted, kept_answers=10) as marquee:
        first = marquee.recommend(user, k=3)
        assert marquee.recommend(user, k=3) == first
        assert marquee.movie(1) == marquee.movie(1)
        assert counted.statuses == [200, 304, 200, 304]
        marquee.dismiss(user, first.items[0].movie_id)
        after = marquee.recommend(user, k=3)
        assert ids(after) != ids(first)
        assert marquee.recommend(user, k=3) == after
        assert counted.statuses[4:] == [202, 200, 304]
        # Another question is another answer.
        assert len(marquee.recommend(user, k=4).items) == 4
        assert counted.statuses[-1] == 200


def test_no_answer_is_kept_unless_that_is_asked_for(shop: Shop) -> None:
    counted = Counted()
    with Marquee(shop.url, key=shop.key, transport=counted) as marquee:
        marquee.genres()
        marquee.genres()
    assert counted.statuses == [200, 200]


def test_an_export_has_all_that_was_written(marquee: Marquee, user: int) -> None:
    marquee.rate(user, 1, 4.5)
    marquee.view(user, 2)
    marquee.dismiss(user, 3)
    marquee.add_to_watchlist(user, 4)
    export = marquee.export(user)
    assert [(film.movie_id, film.rating) for film in export.ratings] == [(1, 4.5)]
    assert export.ratings[0].rated_at is not None
    lists = export.viewed, export.dismissed, export.watchlist
    assert [[film.movie_id for film in films] for films in lists] == [[2], [3], [4]]
    assert export.user.ratings == 1
