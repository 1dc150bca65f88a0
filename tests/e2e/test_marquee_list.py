"""`<marquee-list>` in pages of another origin than the gateway's, by mouse and keyboard."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from marquee_local.servers import free_port
from marquee_testing.servers.shop import Shop, open_shop
from marquee_testing.servers.shop_site import ShopSite, running_site
from marquee_testing.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
DEADLINE = 30_000
SHOTS = ROOT / "reports/screenshots"
PAGE = (ROOT / "docs/how-to/call-from-typescript.md").read_text()
JS = re.compile(r"^```js\n(.*?)^```", re.DOTALL | re.MULTILINE)
HTML = re.compile(r"^```html\n(.*?)^```", re.DOTALL | re.MULTILINE)
PLAIN = """<!doctype html><html lang="en"><title>Shop</title>
<style>body {{ font: 1rem/1.5 system-ui; margin: 1rem; {style} }}</style>
<script type="module" src="marquee-list.js"></script>
<marquee-list gateway="{gateway}" user="{user}" {attributes}></marquee-list></html>"""
POLICY = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self' {}"
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
HIDE = """state => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""

expect.set_options(timeout=DEADLINE)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def shop(redis_url: str, port: int) -> Iterator[Shop]:
    with open_shop(redis_url, cors_origins=f"http://127.0.0.1:{port}") as made:
        yield made


@pytest.fixture
def site(shop: Shop, port: int, typescript_client: Path) -> Iterator[ShopSite]:
    module = (typescript_client / "dist/marquee-list.js").read_text()
    made = ShopSite(shop, port, {"/marquee-list.js": module})
    with running_site(made):
        yield made


@pytest.fixture
def user() -> int:
    return secrets.randbelow(2**40) + 1


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """A blank page with the given settings."""
    contexts: list[BrowserContext] = []

    def opened(**settings: Any) -> Page:
        contexts.append(chromium.new_context(**settings))
        return contexts[-1].new_page()

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def arrive(site: ShopSite, user: int, visit: Callable[..., Page]) -> Callable[..., Page]:
    """Open a page with a list of five films."""

    def opened(
        style: str = "", attributes: str = "", host: str = "127.0.0.1", **settings: Any
    ) -> Page:
        attributes = attributes or f'token-url="/viewer-token/{user}"'
        values = {"gateway": site.shop.url, "user": user}
        site.files["/"] = PLAIN.format(style=style, attributes=attributes, **values)
        page = visit(**settings)
        page.goto(f"http://{host}:{site.port}/")
        return page

    return opened


def films(page: Page) -> Locator:
    return page.get_by_role("listitem")


def stars(page: Page, number: int) -> Locator:
    return page.get_by_role("slider", name=f"Your rating of Film {number} ")


def expect_films(page: Page, *numbers: int) -> None:
    expect(films(page)).to_have_text([re.compile(rf"^Film {n} \d{{4}}") for n in numbers])


def test_the_page_of_the_documentation_shows_rates_and_follows(
    site: ShopSite, user: int, visit: Callable[..., Page]
) -> None:
    (html,) = HTML.findall(PAGE)
    assert html.count("\n") <= 12
    html = html.replace("http://127.0.0.1:8080", site.shop.url).replace('"42"', f'"{user}"')
    site.files["/shop"] = html.replace("/viewer-token", f"/viewer-token/{user}")
    page = visit()
    page.goto(f"{site.origin}/shop")
    expect(page.get_by_role("heading", name="For you", level=2)).to_be_visible()
    expect_films(page, 60, 59, 58, 57, 56)
    expect(films(page).first).to_contain_text("Loved by many viewers")
    stars(page, 60).press("5")
    stars(page, 60).press("Enter")
    expect(page.locator("#said")).to_have_text("60: 5")
    expect_films(page, 59, 58, 57, 56, 55)
    assert site.call("GET", f"/v1/users/{user}/ratings")["items"][0]["rating"] == 5


def test_what_happens_elsewhere_is_followed(
    site: ShopSite, user: int, arrive: Callable[..., Page]
) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    site.call("PUT", f"/v1/users/{user}/ratings/58", {"rating": 4})
    expect_films(page, 60, 59, 57, 56, 55)
    site.call("DELETE", f"/v1/users/{user}/ratings/58")
    expect_films(page, 60, 59, 58, 57, 56)


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


def test_a_strict_policy_is_kept_and_no_other_host_is_asked(
    site: ShopSite, user: int, visit: Callable[..., Page]
) -> None:
    site.policy = POLICY.format(site.shop.url)
    complaints: list[str] = []
    hosts: set[str] = set()
    values = {"gateway": site.shop.url, "user": user, "style": ""}
    site.files["/"] = PLAIN.format(attributes=f'token-url="/viewer-token/{user}"', **values)
    page = visit()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{site.origin}/")
    expect_films(page, 60, 59, 58, 57, 56)
    stars(page, 60).press("5")
    expect_films(page, 59, 58, 57, 56, 55)
    assert [text for text in complaints if "favicon" not in text] == []
    assert hosts == {urlsplit(site.origin).netloc, urlsplit(site.shop.url).netloc}


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


def test_attributes_and_properties_change_the_list(arrive: Callable[..., Page]) -> None:
    page = arrive()
    expect_films(page, 60, 59, 58, 57, 56)
    change = "list => {{ const node = document.querySelector('marquee-list'); {} }}"
    page.evaluate(
        change.format(
            "node.setAttribute('query', 'k=2&year_to=1985'); node.setAttribute('level', '3')"
        )
    )
    expect_films(page, 45, 44)
    expect(page.get_by_role("heading", level=3)).to_have_text("For you")
    (words,) = JS.findall(PAGE)
    page.evaluate(f"() => {{ {words} }}")
    expect(page.get_by_role("heading")).to_have_text("Für dich")
    stars(page, 45).press("5")
    expect(page.get_by_role("status").last).to_have_text("Film 45: 5 Sterne.")
    expect(page.get_by_role("button", name="Zurück")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "style"),
    [(320, ""), (1000, "background: #16121c; color: #f4eefa; --marquee-accent: #ffcf5c")],
)
def test_the_list_fits_its_page(width: int, style: str, arrive: Callable[..., Page]) -> None:
    page = arrive(style=style, viewport={"width": width, "height": 900})
    expect_films(page, 60, 59, 58, 57, 56)
    stars(page, 59).press("4")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"marquee-list-{width}.png")
    expect_films(page, 60, 58, 57, 56, 55)
    page.screenshot(path=SHOTS / f"marquee-list-{width}-rated.png")
