"""`<marquee-list>` in its page: that of the documentation, with a strict policy, of any size."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from marquee_testing.list_page import ListPages, expect_films, films, stars
from marquee_testing.servers.shop_site import ShopSite

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
DEADLINE = 30_000
SHOTS = ROOT / "reports/screenshots"
PAGE = (ROOT / "docs/how-to/call-from-typescript.md").read_text()
JS = re.compile(r"^```js\n(.*?)^```", re.DOTALL | re.MULTILINE)
HTML = re.compile(r"^```html\n(.*?)^```", re.DOTALL | re.MULTILINE)
POLICY = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self' {}"

expect.set_options(timeout=DEADLINE)


def test_the_page_of_the_documentation_shows_rates_and_follows(
    site: ShopSite, user: int, blank: Callable[..., Page]
) -> None:
    (html,) = HTML.findall(PAGE)
    assert html.count("\n") <= 12
    html = html.replace("http://127.0.0.1:8080", site.shop.url).replace('"42"', f'"{user}"')
    site.files["/shop"] = html.replace("/viewer-token", f"/viewer-token/{user}")
    page = blank()
    page.goto(f"{site.origin}/shop")
    expect(page.get_by_role("heading", name="For you", level=2)).to_be_visible()
    expect_films(page, 60, 59, 58, 57, 56)
    expect(films(page).first).to_contain_text("Loved by many viewers")
    stars(page, 60).press("5")
    stars(page, 60).press("Enter")
    expect(page.locator("#said")).to_have_text("60: 5")
    expect_films(page, 59, 58, 57, 56, 55)
    assert site.call("GET", f"/v1/users/{user}/ratings")["items"][0]["rating"] == 5


def test_a_strict_policy_is_kept_and_no_other_host_is_asked(
    site: ShopSite, pages: ListPages
) -> None:
    site.policy = POLICY.format(site.shop.url)
    complaints: list[str] = []
    hosts: set[str] = set()
    pages.put()
    page = pages.blank()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{site.origin}/")
    expect_films(page, 60, 59, 58, 57, 56)
    stars(page, 60).press("5")
    expect_films(page, 59, 58, 57, 56, 55)
    assert [text for text in complaints if "favicon" not in text] == []
    assert hosts == {urlsplit(site.origin).netloc, urlsplit(site.shop.url).netloc}


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
