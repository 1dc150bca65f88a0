"""A shop for the clients, and a network on the way to it."""

import secrets
from collections.abc import Iterator

import pytest

from marquee_client import Marquee
from marquee_testing.servers.fault_proxy import Link, fault_proxy
from marquee_testing.servers.shop import Shop, open_shop


@pytest.fixture(scope="module")
def shop(redis_url: str) -> Iterator[Shop]:
    with open_shop(redis_url) as made:
        yield made


@pytest.fixture
def marquee(shop: Shop) -> Iterator[Marquee]:
    with Marquee(shop.url, key=shop.key) as client:
        yield client


@pytest.fixture
def user() -> int:
    return secrets.randbelow(2**40) + 1


@pytest.fixture
def link(shop: Shop) -> Iterator[Link]:
    """A network on the way to the gateway."""
    with fault_proxy() as proxy:
        yield proxy.link(shop.url.removeprefix("http://"))
