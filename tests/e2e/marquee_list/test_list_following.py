"""`<marquee-list>` follows what happens elsewhere, and says when it cannot."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from marquee_testing.list_page import expect_films, films
from marquee_testing.servers.shop_site import ShopSite
from marquee_testing.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

DEADLINE = 30_000
HIDE = """state => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""

expect.set_options(timeout=DEADLINE)


def test_what_happens_elsewhere_is_followed(
    site: ShopSite, user: int, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    site.call("PUT", f"/v1/users/{user}/ratings/58", {"rating": 4})
    expect_films(page, 60, 59, 57, 56, 55)
    site.call("DELETE", f"/v1/users/{user}/ratings/58")
    expect_films(page, 60, 59, 58, 57, 56)


def test_a_list_follows_only_while_it_can_be_seen(
    site: ShopSite, user: int, arrive: Callable[..., Page]
) -> None:
    def followers() -> float:
        return site.shop.gateway.measure("marquee_followers")

    before = followers()
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    until(lambda: followers() == before + 1)
    page.evaluate(HIDE, "hidden")
    until(lambda: followers() == before)
    site.call("PUT", f"/v1/users/{user}/dismissed/60")
    page.evaluate(HIDE, "visible")
    expect_films(page, 59, 58, 57, 56, 55)
    page.evaluate("document.querySelector('marquee-list').remove()")
    until(lambda: followers() == before)


def test_a_token_that_has_ended_is_asked_for_again(
    site: ShopSite, arrive: Callable[..., Page]
) -> None:
    site.tokens.append("marquee_ended")
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    assert site.asked == 2


def test_a_page_of_an_origin_that_the_gateway_does_not_know_says_so(
    arrive: Callable[..., Page],
) -> None:
    page = arrive(host="localhost")
    expect(page.get_by_role("status").first).to_have_text(
        "The connection is broken: this list may be old."
    )
    expect(films(page)).to_have_count(0)


def test_without_a_token_the_list_says_what_is_wrong(arrive: Callable[..., Page]) -> None:
    page = arrive(attributes='heading="Films"')
    expect(page.get_by_role("heading", name="Films")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("This list does not go on: ")
