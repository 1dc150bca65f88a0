"""A shop of another origin than the gateway's, and its pages with `<marquee-list>`."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from marquee_local.servers import free_port
from marquee_testing.browser import blank_pages
from marquee_testing.list_page import ListPages
from marquee_testing.servers.shop import Shop, open_shop
from marquee_testing.servers.shop_site import ShopSite, running_site


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
def blank(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a blank page with the given settings of the browser."""
    with blank_pages(chromium) as opened:
        yield opened


@pytest.fixture
def pages(site: ShopSite, user: int, blank: Callable[..., Page]) -> ListPages:
    return ListPages(site, user, blank)


@pytest.fixture
def arrive(pages: ListPages) -> Callable[..., Page]:
    """Open a page with a list of five films."""
    return pages.arrive
