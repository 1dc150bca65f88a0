"""A shop's page with `<marquee-list>`, and what it shows: films of `servers.shop`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from marquee_testing.servers.shop_site import ShopSite

PLAIN = """<!doctype html><html lang="en"><title>Shop</title>
<style>body {{ font: 1rem/1.5 system-ui; margin: 1rem; {style} }}</style>
<script type="module" src="marquee-list.js"></script>
<marquee-list gateway="{gateway}" user="{user}" {attributes}></marquee-list></html>"""


@dataclass(frozen=True)
class ListPages:
    """Pages of a shop with the list of one viewer.

    Attributes:
        site: Serves them.
        user: Whose list they show.
        blank: Opens a blank page with the given settings of the browser.
    """

    site: ShopSite
    user: int
    blank: Callable[..., Page]

    def put(self, style: str = "", attributes: str = "") -> None:
        """Make the site's first page that of the list, which asks for tokens unless told how."""
        values = {"gateway": self.site.shop.url, "user": self.user, "style": style}
        attributes = attributes or f'token-url="/viewer-token/{self.user}"'
        self.site.files["/"] = PLAIN.format(attributes=attributes, **values)

    def arrive(
        self, style: str = "", attributes: str = "", host: str = "127.0.0.1", **settings: Any
    ) -> Page:
        """Open a page with a list of five films."""
        self.put(style, attributes)
        page = self.blank(**settings)
        page.goto(f"http://{host}:{self.site.port}/")
        return page


def films(page: Page) -> Locator:
    return page.get_by_role("listitem")


def stars(page: Page, number: int) -> Locator:
    return page.get_by_role("slider", name=f"Your rating of Film {number} ")


def expect_films(page: Page, *numbers: int) -> None:
    expect(films(page)).to_have_text([re.compile(rf"^Film {n} \d{{4}}") for n in numbers])
