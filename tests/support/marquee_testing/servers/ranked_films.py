"""Films that gateway processes know, and model services that rank them by number."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.consumer import GatewayProjection
from marquee.bus.factory import open_bus
from marquee.events import MovieAdded
from marquee.settings import Settings
from marquee_local.servers import free_port
from marquee_testing.servers.gateway_process import GatewayProcess, gateway_process
from marquee_testing.servers.ranking_service import RankingService, ranking_service
from marquee_testing.servers.system import System, running

FILMS = 60


@dataclass(frozen=True)
class RankedFilms:
    """What gateway processes stand on.

    Attributes:
        redis_url: Their store and bus.
        namespace: Theirs.
        system: The consumer behind them.
        models: All their model services.
    """

    redis_url: str
    namespace: str
    system: System
    models: RankingService

    def gateway(self, **values: str) -> AbstractContextManager[GatewayProcess]:
        """Run a gateway on free ports until the block ends.

        Args:
            values: Further settings by their names in lower case.
        """
        values = {**self.models.urls, "deadline_ms": "5000", **values}
        ports = free_port(), free_port()
        return gateway_process(self.redis_url, self.namespace, ports, **values)


@contextmanager
def ranked_films(redis_url: str) -> Iterator[RankedFilms]:
    """Run a consumer with films, in a namespace of its own, and model services."""
    namespace = f"test-{secrets.token_hex(4)}"
    settings = Settings.model_validate({"redis_url": redis_url, "namespace": namespace})
    films = (
        {"movie_id": i, "title": f"Film {i}", "year": 1980 + i % 40, "genres": ["Drama"]}
        for i in range(1, FILMS + 1)
    )
    with known_films(settings, films) as system, ranking_service(FILMS) as models:
        yield RankedFilms(redis_url, namespace, system, models)


@contextmanager
def known_films(settings: Settings, films: Iterable[Mapping[str, Any]]) -> Iterator[System]:
    """Keep a gateway's facts up to date until the block ends; yield once they have the films."""
    url = settings.redis_url.get_secret_value()
    with running(open_bus(settings), url, settings.namespace) as group:
        group.start(GatewayProjection())
        group.wait(group.publish(*(MovieAdded.model_validate({"data": film}) for film in films)))
        yield group
