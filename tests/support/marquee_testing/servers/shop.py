"""A gateway with keys and films, as clients call it: a process, its consumer, and ranked models."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from gateway.consumer import GatewayProjection
from marquee.access.api_keys import create_key
from marquee.access.key_store import KeyStore, Who
from marquee.access.rates import Rate
from marquee.access.scopes import Scope
from marquee.bus.factory import open_bus
from marquee.events import MovieAdded
from marquee.settings import Settings
from marquee_local.servers import free_port
from marquee_testing.servers.gateway_process import GatewayProcess, gateway_process
from marquee_testing.servers.ranking_service import ranking_service
from marquee_testing.servers.system import System, running


@dataclass(frozen=True)
class Shop:
    """A gateway with keys.

    Attributes:
        gateway: Its process.
        key: A key with all that a shop does.
        slow_key: One that may call once a minute.
        system: The consumer behind it.
    """

    gateway: GatewayProcess
    key: str
    slow_key: str
    system: System

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.gateway.url


@contextmanager
def running_shop(redis_url: str, films: int, **values: str) -> Iterator[Shop]:
    """Run a shop in a namespace of its own until the block ends.

    Args:
        redis_url: Its store and bus.
        films: How many films it has: `Film 1`, `Film 2` …; those of the highest numbers rank first.
        values: Settings of the gateway by their names in lower case.
    """
    namespace = f"test-{secrets.token_hex(4)}"
    settings = Settings.model_validate({"redis_url": redis_url, "namespace": namespace})
    key, slow_key = _keys(redis_url, namespace)
    values = {
        "auth": "keys",
        "token_secrets": secrets.token_hex(32),
        "deadline_ms": "5000",
    } | values
    ports = free_port(), free_port()
    with (
        running(open_bus(settings), redis_url, namespace) as system,
        ranking_service(films) as models,
    ):
        system.start(GatewayProjection())
        system.wait(system.publish(*map(_film, range(1, films + 1))))
        with gateway_process(redis_url, namespace, ports, **{**models.urls, **values}) as gateway:
            yield Shop(gateway, key, slow_key, system)


def _film(number: int) -> MovieAdded:
    data = {"movie_id": number, "title": f"Film {number}", "year": 1980 + number % 40}
    return MovieAdded.model_validate({"data": {**data, "genres": ["Drama"]}})


def _keys(redis_url: str, namespace: str) -> tuple[str, str]:
    key, text = create_key("shop", (Scope.READ, Scope.WRITE, Scope.CURATE))
    slow, slow_text = create_key("slow", (Scope.READ,), rate=Rate.parse("1/m"))
    with closing(KeyStore(redis_url, namespace, Who("tester"))) as keys:
        keys.add(key)
        keys.add(slow)
    return text, slow_text
