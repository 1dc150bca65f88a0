"""A gateway with keys as a process of its own, for what calls it as a shop does."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from marquee.access.api_keys import create_key
from marquee.access.key_store import KeyStore, Who
from marquee.access.rates import Rate
from marquee.access.scopes import Scope
from marquee_testing.servers.gateway_process import GatewayProcess
from marquee_testing.servers.ranked_films import ranked_films
from marquee_testing.servers.system import System


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
def open_shop(redis_url: str, **values: str) -> Iterator[Shop]:
    """Run a consumer, model services that rank by number, and the gateway, until the block ends.

    Args:
        redis_url: Its store and bus.
        values: Further settings of the gateway by their names in lower case.
    """
    with ranked_films(redis_url) as films:
        key, text = create_key("shop", (Scope.READ, Scope.WRITE, Scope.CURATE))
        slow, slow_text = create_key("slow", (Scope.READ,), rate=Rate.parse("1/m"))
        with closing(KeyStore(redis_url, films.namespace, Who("tester"))) as keys:
            keys.add(key)
            keys.add(slow)
        access = {"auth": "keys", "token_secrets": secrets.token_hex(32)}
        with films.gateway(**access, **values) as made:
            yield Shop(made, text, slow_text, films.system)
