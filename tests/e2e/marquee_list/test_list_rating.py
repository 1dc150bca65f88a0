"""`<marquee-list>` by mouse and keyboard: films are rated, values staged, ratings undone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from marquee_testing.list_page import expect_films, stars
from marquee_testing.servers.shop_site import ShopSite

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

DEADLINE = 30_000
# A hand that goes on moving: its value is not sent by rest.
MOVE = """() => {
  const input = document.querySelector("marquee-list").shadowRoot.querySelector("input");
  window.moving = setInterval(() => input.dispatchEvent(new InputEvent("input")), 50);
  addEventListener("marquee-list", () => (window.came = true));
}"""
TAKE_BACK = """() => {
  clearInterval(window.moving);
  const input = document.querySelector("marquee-list").shadowRoot.querySelector("input");
  input.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
}"""

expect.set_options(timeout=DEADLINE)


def test_a_viewer_with_only_a_keyboard_rates_and_undoes(
    user: int, site: ShopSite, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(stars(page, 59)).to_be_focused()
    for key in ("4", "ArrowRight"):
        page.keyboard.press(key)
    expect(stars(page, 59)).to_have_attribute("aria-valuetext", "four and a half of five stars")
    page.keyboard.press("Enter")
    # The next film has the focus of the one that has left the list.
    expect_films(page, 60, 58, 57, 56, 55)
    expect(stars(page, 58)).to_be_focused()
    expect(page.get_by_role("status").last).to_have_text(
        "Rated Film 59: four and a half of five stars."
    )
    undo = page.get_by_role("button", name="Undo")
    undo.focus()
    page.keyboard.press("Space")
    expect_films(page, 60, 59, 58, 57, 56)
    expect(page.get_by_role("status").last).to_have_text("Took back your rating of Film 59.")
    expect(undo).to_have_count(0)
    expect(stars(page, 60)).to_be_focused()
    assert site.call("GET", f"/v1/users/{user}/ratings")["items"] == []


def test_a_staged_value_is_not_sent_at_each_step_and_escape_takes_it_back(
    user: int, site: ShopSite, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    writes: list[str] = []
    page.on(
        "request", lambda request: writes.append(request.url) if request.method == "PUT" else None
    )
    expect_films(page, 60, 59, 58, 57, 56)
    for key in ("ArrowRight", "ArrowRight", "Escape"):
        stars(page, 60).press(key)
    expect(stars(page, 60)).to_have_attribute("aria-valuetext", "not rated")
    for key in ("Home", ".", "ArrowLeft", "End", "ArrowLeft"):
        stars(page, 60).press(key)
    # Nothing is pressed any more: the value is sent by rest alone.
    expect_films(page, 59, 58, 57, 56, 55)
    assert len(writes) == 1
    assert site.call("GET", f"/v1/users/{user}/ratings")["items"][0]["rating"] == 4.5


def test_a_click_on_a_star_is_its_value(
    user: int, site: ShopSite, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    box = stars(page, 57).bounding_box()
    assert box
    assert box["height"] >= 24
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + box["height"] / 2)
    expect_films(page, 60, 59, 58, 56, 55)
    assert site.call("GET", f"/v1/users/{user}/ratings")["items"][0]["rating"] == 3


def test_films_do_not_move_while_a_value_is_staged(
    user: int, site: ShopSite, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    page.evaluate(MOVE)
    expect(stars(page, 60)).to_have_attribute("aria-valuetext", "three of five stars")
    site.call("PUT", f"/v1/users/{user}/dismissed/59")
    page.wait_for_function("() => window.came")
    expect_films(page, 60, 59, 58, 57, 56)
    page.evaluate(TAKE_BACK)
    expect_films(page, 60, 58, 57, 56, 55)


def test_a_rating_that_is_refused_is_said_and_can_be_tried_again(
    user: int, site: ShopSite, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    problem = {
        "type": "/problems/invalid_input",
        "title": "T",
        "status": 422,
        "detail": "no",
        "code": "invalid_input",
    }
    head = {"Access-Control-Allow-Origin": site.origin}
    ratings = re.compile(r"/ratings/\d+")

    def refuse(route: Any) -> None:
        if route.request.method == "OPTIONS":
            route.continue_()
        else:
            route.fulfill(status=422, json=problem, headers=head)

    page.route(ratings, refuse)
    stars(page, 60).press("2")
    stars(page, 60).press("Enter")
    expect(page.get_by_role("status").last).to_contain_text(
        "Your rating of Film 60 is not saved: no."
    )
    expect(stars(page, 60)).to_have_attribute("aria-valuetext", "not rated")
    page.unroute(ratings)
    page.get_by_role("button", name="Try again").click()
    expect_films(page, 59, 58, 57, 56, 55)
    assert site.call("GET", f"/v1/users/{user}/ratings")["items"][0]["rating"] == 2
