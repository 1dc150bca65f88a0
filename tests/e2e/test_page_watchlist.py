"""The watchlist and the rows to browse on the page, against a whole running system."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from marquee_testing.browser import assert_fits, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

DEADLINE = 60_000
LIKED = {1: 5, 260: 5, 1196: 4.5, 480: 4, 589: 4, 1210: 4.5}
"""Films of ml-latest-small with stars: enough for rows of the viewer's own."""
PROBLEM = '{"title":"Unavailable","status":503,"detail":"no log","code":"unavailable"}'

expect.set_options(timeout=DEADLINE)


def write(page: Page, path: str, body: object = None) -> str:
    """Write as the page's viewer, beside the page; return the token."""
    viewer = page.locator("#viewer-id").inner_text()
    answer = page.request.put(f"/v1/users/{viewer}/{path}", data=body)
    assert answer.ok, answer.text()
    return str(answer.json()["token"])


def kept(page: Page, after: str | None = None) -> list[str]:
    """Return the viewer's watchlist as the gateway has it."""
    viewer = page.locator("#viewer-id").inner_text()
    options: dict[str, str | float | bool] = {"after": after} if after else {}
    answer = page.request.get(f"/v1/users/{viewer}/watchlist", params=options)
    return [str(film["movie_id"]) for film in answer.json()["items"]]


def known(page: Page, later: int = 0) -> Page:
    """Come back as a viewer with ratings, and so many films on the watchlist."""
    token = ""
    for movie_id, stars in LIKED.items():
        token = write(page, f"ratings/{movie_id}", {"rating": stars})
    viewer = page.locator("#viewer-id").inner_text()
    query: dict[str, str | float | bool] = {"k": 40, "after": token}
    answer = page.request.get(f"/v1/users/{viewer}/recommendations", params=query).json()
    # Films that come right after those of the list, so that their row is a good one.
    for film in answer["items"][10 : 10 + later]:
        token = write(page, f"watchlist/{film['movie_id']}")
    kept(page, token)
    page.reload()
    expect(page.locator("#browse .band").first).to_be_visible()
    return page


def films(place: Locator) -> list[str]:
    shown: list[str] = place.evaluate_all("all => all.map(one => one.dataset.movie)")
    return shown


def test_a_film_goes_to_the_watchlist_and_is_there_after_a_reload(visit):
    page = visit()
    card = page.locator("#shelf .card").nth(1)
    film = card.get_attribute("data-movie")
    toggle = card.get_by_role("button", name=re.compile("^Watchlist: "))
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    expect(page.locator("#watchlist-title")).to_have_text("Your watchlist (1)")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#status")).to_contain_text("is on your watchlist")
    assert kept(page) == [film]
    page.reload()
    expect(page.locator(f'#watchlist [data-movie="{film}"]')).to_be_visible()
    toggle = page.locator(f'#shelf [data-movie="{film}"] .watch')
    expect(toggle).to_have_attribute("aria-pressed", "true")
    toggle.click()
    expect(page.locator("#watchlist .row")).to_have_count(0)
    assert kept(page) == []


def test_what_is_taken_off_can_be_put_back(visit):
    page = visit()
    for place in (0, 2):
        page.locator("#shelf .watch").nth(place).click()
    rows = page.locator("#watchlist .row")
    expect(rows).to_have_count(2)
    # The newest is first.
    first = page.locator("#shelf .card").nth(2).get_attribute("data-movie") or ""
    expect(rows.first).to_have_attribute("data-movie", first)
    rows.first.get_by_role("button", name=re.compile("off your watchlist")).click()
    expect(rows).to_have_count(1)
    expect(page.locator("#shelf .watch").nth(2)).to_have_attribute("aria-pressed", "false")
    page.locator("#watchlist").get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(2)
    assert kept(page)[0] == first


def test_a_write_to_the_watchlist_asks_for_no_list(visit):
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/v1/")[2]))
    page.locator("#shelf .watch").first.click()
    expect(page.locator("#watchlist-title")).to_have_text("Your watchlist (1)")
    page.locator("#shelf .watch").first.click()
    expect(page.locator("#watchlist-title")).to_have_text("Your watchlist")
    assert not [path for path in asked if "recommendations" in path]


def test_the_watchlist_by_keyboard_alone(visit):
    page = visit()
    tab_to(page, "#shelf .watch")
    page.keyboard.press("Space")
    expect(page.locator("#watchlist-title")).to_have_text("Your watchlist (1)")
    expect(page.locator("*:focus")).to_have_attribute("aria-pressed", "true")
    tab_to(page, "#browse .skip-rows")
    expect(page.locator("*:focus")).to_be_in_viewport()
    page.keyboard.press("Enter")
    tab_to(page, "#watchlist .row button.button")
    page.keyboard.press("Enter")
    expect(page.locator("#watchlist .row")).to_have_count(0)
    expect(page.locator("#watchlist-title")).to_be_focused()
    tab_to(page, "#watchlist .link")
    page.keyboard.press("Enter")
    expect(page.locator("#watchlist .row")).to_have_count(1)


def test_a_film_that_was_not_kept_says_so_and_can_be_tried_again(visit):
    page = visit()
    writes = re.compile(r"/v1/users/\d+/watchlist/\d+")
    page.route(
        writes,
        lambda route: route.fulfill(
            status=503, body=PROBLEM, content_type="application/problem+json"
        ),
    )
    toggle = page.locator("#shelf .watch").first
    toggle.click()
    expect(page.locator("#shelf .refused")).to_contain_text("Not saved.")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    page.unroute(writes)
    page.locator("#shelf .outcome").get_by_role("button", name="Try again").click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#shelf .refused")).to_have_count(0)


def test_an_unknown_viewer_has_no_rows(visit):
    page = visit()
    expect(page.locator("#strip .next-words")).to_contain_text("1 rating")
    expect(page.locator("#browse")).to_be_hidden()


def test_a_known_viewer_has_rows_that_repeat_no_film_of_the_list(visit):
    page = known(visit(), 10)
    shown = films(page.locator("#shelf .card"))
    browsed = films(page.locator("#browse .tile"))
    assert len(browsed) >= 20
    assert not {*browsed} & {*shown}
    assert len({*browsed}) == len(browsed)
    titles = page.locator("#browse .band > h3").all_inner_texts()
    assert len({*titles}) == len(titles) >= 4
    for liked in page.locator('#browse [data-kind="because_you_liked"] h3').all_inner_texts():
        assert liked.startswith("Because you liked ")
    later = page.locator('#browse [data-kind="watchlist"]')
    expect(later.locator("h3")).to_have_text("From your watchlist")
    expect(later.locator(".tile-why").first).to_have_text("On your watchlist")
    expect(page.locator("#watchlist-title")).to_have_text("Your watchlist (10)")
    assert {*films(later.locator(".tile"))} == {*kept(page)}


def test_rows_are_of_the_chosen_genre(visit):
    page = known(visit())
    page.get_by_role("checkbox", name="Western", exact=True).check()
    expect(page.locator("#films-title")).to_contain_text("Western")
    viewer = page.locator("#viewer-id").inner_text()
    query: dict[str, str | float | bool] = {"genre": "Western", "rows": 7, "k": 10}
    answer = page.request.get(f"/v1/users/{viewer}/shelves", params=query)
    rows = answer.json()["rows"][1:]
    expect(page.locator("#browse .tile")).to_have_count(sum(len(row["items"]) for row in rows))
    assert all("Western" in film["genres"] for row in rows for film in row["items"])


def test_a_row_stays_while_one_of_its_films_is_worked_on(visit):
    page = known(visit())
    tile = page.locator("#browse .tile").nth(1)
    film = tile.get_attribute("data-movie")
    before = films(page.locator("#browse .tile"))
    tile.locator("input").focus()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(tile.locator(".outcome")).to_contain_text("You gave 2 stars.")
    expect(page.locator("#strip .effect")).to_contain_text("Rated ")
    assert films(page.locator("#browse .tile")) == before
    expect(page.locator("*:focus")).to_have_attribute("aria-valuetext", "two of five stars")
    # Once the viewer is elsewhere the rows follow: what was rated is not offered any more.
    page.get_by_role("searchbox").focus()
    expect(page.locator(f'#browse [data-movie="{film}"]')).to_have_count(0)
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_rows_that_cannot_be_had_are_asked_for_again(visit):
    page = visit()
    shelves = re.compile(r"/v1/users/\d+/shelves")
    page.route(shelves, lambda route: route.abort())
    page.locator("#shelf .card").first.get_by_role("button", name="Seen it").click()
    expect(page.locator("#browse .notice")).to_be_visible()
    page.unroute(shelves)
    page.locator("#browse").get_by_role("button", name="Try again").click()
    expect(page.locator("#browse .band").first).to_be_visible()
    expect(page.locator("#browse .notice")).to_be_hidden()


def test_starting_over_forgets_rows_and_watchlist(visit):
    page = known(visit(), 1)
    page.get_by_role("button", name="Start over as a new viewer").click()
    expect(page.locator("#watchlist-title")).to_have_text("Your watchlist")
    expect(page.locator("#browse")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_rows_and_watchlist_fit_and_their_targets_are_large_enough(visit, width, scheme):
    assert_fits(known(visit(viewport={"width": width, "height": 800}, color_scheme=scheme), 5))
