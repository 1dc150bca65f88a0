"""Python's client at a gateway process on a real Valkey, with keys; the blocks of its README."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from marquee_client import (
    AsyncMarquee,
    Forbidden,
    InvalidInput,
    Marquee,
    NoAnswer,
    NotFound,
    RateLimited,
    Retries,
    Unauthorized,
)
from marquee_client.options import SessionOptions
from marquee_local.servers import free_port
from marquee_testing.document_steps import blocks
from marquee_testing.servers.fault_proxy import Link
from marquee_testing.servers.ranked_films import FILMS
from marquee_testing.servers.shop import Shop

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = (ROOT / "clients/python/README.md", ROOT / "docs/how-to/call-from-python.md")
QUICK = Retries(first_s=0.01)


def ids(answer: Any) -> list[Any]:
    return [item.movie_id for item in answer.items]


def test_each_read_follows_the_write_before_it(marquee: Marquee, user: int) -> None:
    shown = ids(marquee.recommend(user, k=3))
    for movie_id, write in zip(shown, (marquee.dismiss, marquee.view), strict=False):
        write(user, movie_id)
        after = marquee.recommend(user, k=FILMS)
        assert after.fresh
        assert movie_id not in ids(after)
    marquee.restore(user, shown[0])
    assert shown[0] in ids(marquee.recommend(user, k=FILMS))


def test_ratings_and_watchlist_are_what_was_written(marquee: Marquee, user: int) -> None:
    for movie_id in range(1, 8):
        marquee.rate(user, movie_id, movie_id / 2)
        marquee.add_to_watchlist(user, movie_id + 10)
    marquee.unrate(user, 4)
    marquee.remove_from_watchlist(user, 11)
    pages = list(marquee.rating_pages(user, limit=2))
    rated = {film.movie_id: film.rating for page in pages for film in page.items}
    assert rated == {movie_id: movie_id / 2 for movie_id in (1, 2, 3, 5, 6, 7)}
    assert len(pages) == 3
    assert ids(marquee.watchlist(user)) == [17, 16, 15, 14, 13, 12]
    assert {*ids(marquee.recommend(user, watchlist="only", k=20))} == set(range(12, 18))
    known = marquee.user(user)
    assert (known.ratings, known.watchlist, known.fresh) == (6, 6, True)
    assert marquee.erase(user).receipt.stores
    assert marquee.user(user).ratings == 0


def test_pages_show_every_film_once(marquee: Marquee, user: int) -> None:
    shown = [id_ for page in marquee.recommendation_pages(user, k=25) for id_ in ids(page)]
    assert sorted(shown) == list(range(1, FILMS + 1))
    found = [film for page in marquee.search_pages("film", limit=25) for film in page.items]
    assert {film.movie_id for film in found} >= set(range(1, FILMS + 1))
    nearly = [id_ for page in marquee.similar_pages(1, k=25) for id_ in ids(page)]
    assert len(set(nearly)) == len(nearly) >= 25
    asked: SessionOptions = {"ratings": [{"movie_id": 5, "rating": 4.5}], "viewed": [6], "k": 25}
    session = [id_ for page in marquee.session_pages(**asked) for id_ in ids(page)]
    assert sorted(session) == [i for i in range(1, FILMS + 1) if i not in (5, 6)]


def test_lists_of_several_and_rows(marquee: Marquee, user: int) -> None:
    batch = marquee.batch([user, "no id!"], k=2)
    assert (batch.lists, batch.problems) == (1, 1)
    assert batch.items[0].list is not None
    assert batch.items[1].problem is not None
    rows = marquee.shelves(user, rows=2, k=3, year_from=1990).rows
    assert all(film.year is not None and film.year >= 1990 for row in rows for film in row.items)
    assert marquee.genres().items[0].name == "Drama"


def test_films_are_added_changed_and_removed(marquee: Marquee) -> None:
    added = marquee.add_movie(title="Heat", year=1995, genres=["Crime"], reason="new")
    again = marquee.add_movie(title="Ran", idempotency_key="job-1")
    assert marquee.add_movie(title="Ran", idempotency_key="job-1") == again
    receipt = marquee.update_movie(added.movie_id, year=None, runtime=170)
    marquee.user(1, after=receipt.token, wait_ms=10_000)
    film = marquee.movie(added.movie_id)
    assert (film.title, film.year, film.runtime) == ("Heat", None, 170)
    marquee.user(1, after=marquee.remove_movie(added.movie_id).token, wait_ms=10_000)
    with pytest.raises(NotFound):
        marquee.movie(added.movie_id)
    marquee.remove_movie(again.movie_id)


def test_events_are_followed_and_rejected_one_by_one(marquee: Marquee, user: int) -> None:
    right = {"type": "rating.added", "data": {"user_id": user, "movie_id": 1, "rating": 4}}
    wrong = {"type": "rating.added", "data": {"user_id": user, "movie_id": 1, "rating": 9}}
    answer = marquee.publish([right, wrong])
    assert [item.status for item in answer.items] == ["accepted", "rejected"]
    assert marquee.user(user).ratings == 1
    with pytest.raises(InvalidInput) as caught:
        marquee.publish([wrong])
    assert caught.value.document["items"][0]["status"] == "rejected"


def test_refusals_are_exceptions(shop: Shop, marquee: Marquee, user: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        marquee.recommend(user, k=1000, genres=["Drama"])
    assert [field.field for field in caught.value.fields] == ["k"]
    with pytest.raises(NotFound):
        marquee.rate(user, 10**6, 5)
    with Marquee(shop.url) as nobody, pytest.raises(Unauthorized):
        nobody.recommend(user)
    nowhere = Marquee(f"http://127.0.0.1:{free_port()}", retries=QUICK)
    with nowhere, pytest.raises(NoAnswer):
        nowhere.recommend(user)


def test_a_rate_that_is_used_up_is_told_at_once(shop: Shop) -> None:
    with Marquee(shop.url, key=shop.slow_key) as slow:
        slow.genres()
        with pytest.raises(RateLimited) as limited:
            slow.genres()
        assert (limited.value.retry_after or 0) > 30


def test_a_write_whose_answer_is_lost_takes_effect_once(
    shop: Shop, marquee: Marquee, link: Link
) -> None:
    title = f"Stalker {secrets.token_hex(4)}"
    link.lose_replies(2, b"POST /v1/movies")
    with Marquee(f"http://{link.address}", key=shop.key, retries=QUICK) as client:
        added = client.add_movie(title=title)
    assert link.lost_replies == 2
    marquee.user(1, after=added.token, wait_ms=10_000)
    assert ids(marquee.search(title)) == [added.movie_id]
    marquee.remove_movie(added.movie_id)


async def test_a_read_whose_connection_breaks_is_sent_again(
    shop: Shop, link: Link, user: int
) -> None:
    async with AsyncMarquee(f"http://{link.address}", key=shop.key, retries=QUICK) as client:
        await client.genres()
        link.reset()  # the connection that the client keeps
        link.lose_replies(1, b"GET")
        assert (await client.recommend(user, k=3)).items
    assert link.lost_replies == 1


def test_a_call_that_takes_no_key_is_sent_once(shop: Shop, link: Link, user: int) -> None:
    link.lose_replies(5, b"/tokens")
    client = Marquee(f"http://{link.address}", key=shop.key, retries=QUICK)
    with client, pytest.raises(NoAnswer):
        client.viewer_token(user)
    assert link.lost_replies == 1


def test_a_viewers_token_is_for_that_viewer(shop: Shop, marquee: Marquee, user: int) -> None:
    token = marquee.viewer_token(user, seconds=60).token
    with Marquee(shop.url, key=token) as page:
        page.rate(user, 1, 4)
        assert page.user(user).ratings == 1
        with pytest.raises(Forbidden):
            page.recommend(user + 1)


async def test_coroutines_do_the_same(shop: Shop, user: int) -> None:
    async with AsyncMarquee(shop.url, key=shop.key) as marquee:
        await marquee.rate(user, 1, 4.5)
        assert (await marquee.user(user)).ratings == 1
        pages = [ids(page) async for page in marquee.recommendation_pages(user, k=40)]
        assert [len(page) for page in pages] == [40, FILMS - 41]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_blocks_of_the_documents_run(
    shop: Shop, document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = blocks(document, "python")
    assert len(found) >= 4
    names: dict[str, Any] = {"__name__": "document"}
    for block in found:
        assert "http://127.0.0.1:8080" in block or "Marquee(" not in block
        code = block.replace("http://127.0.0.1:8080", shop.url).replace("marquee_…", shop.key)
        exec(compile(code, str(document), "exec"), names)
    for client in names.values():
        if isinstance(client, Marquee):
            client.close()
    if document.name == "README.md":
        assert "invalid_input" in capsys.readouterr().out
