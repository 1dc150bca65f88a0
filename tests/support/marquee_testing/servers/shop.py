"""A gateway with keys as a process of its own, for what calls it as a shop does."""

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
from marquee_testing.servers.gateway_process import gateway_process
from marquee_testing.servers.ranking_service import ranking_service
from marquee_testing.servers.system import System, running

FILMS = 60


@dataclass(frozen=True)
class Shop:
    """A gateway with keys.

    Attributes:
        url: Its address.
        key: A key with all that a shop does.
        slow_key: One that may call once a minute.
        system: The consumer behind it.
    """

    url: str
    key: str
    slow_key: str
    system: System


@contextmanager
def open_shop(redis_url: str) -> Iterator[Shop]:
    """Run a consumer, model services that rank by number, and the gateway, until the block ends."""
    namespace = f"test-{secrets.token_hex(4)}"
    settings = Settings.model_validate({"redis_url": redis_url, "namespace": namespace})
    with running(open_bus(settings), redis_url, namespace) as group:
        group.start(GatewayProjection())
        films = (
            {"movie_id": i, "title": f"Film {i}", "year": 1980 + i % 40, "genres": ["Drama"]}
            for i in range(1, FILMS + 1)
        )
        group.wait(group.publish(*(MovieAdded.model_validate({"data": film}) for film in films)))
        key, text = create_key("shop", (Scope.READ, Scope.WRITE, Scope.CURATE))
        slow, slow_text = create_key("slow", (Scope.READ,), rate=Rate.parse("1/m"))
        with closing(KeyStore(redis_url, namespace, Who("tester"))) as keys:
            keys.add(key)
            keys.add(slow)
        with ranking_service(FILMS) as models:
            values = {**models.urls, "auth": "keys", "token_secrets": secrets.token_hex(32)}
            ports = free_port(), free_port()
            with gateway_process(redis_url, namespace, ports, deadline_ms="5000", **values) as made:
                yield Shop(made.url, text, slow_text, group)
