"""Model services on a real bus and store: consumers in threads, apps that are called directly."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from marquee.bus.api import Bus, Outgoing, Published
from marquee.consumer.batches import Pace
from marquee.consumer.deduplication import recent_messages_in_log
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import DeriveRows, ModelProjection
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import MODELS, MOVIES, RATINGS, Event
from marquee.registry.registry import Registry
from marquee.serving.app import ModelService, create_app
from marquee.settings import Settings
from marquee.snapshots.partition import PartitionSnapshot
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing.threads import Loop, looping
from marquee_testing.waiting import until


@dataclass(frozen=True)
class ServiceParts:
    """What one service consists of: the parts of its app, and those of its consumer."""

    app: ModelService[Any]
    derive_rows: DeriveRows[Any]
    restore: Callable[[UnitOfWork, PartitionSnapshot], None] = restore_facts


@dataclass
class ModelServices:
    """Services that share the namespace of some settings."""

    settings: Settings
    bus: Bus
    parts: Sequence[ServiceParts]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the services."""
        return tuple(parts.app.name for parts in self.parts)

    @property
    def registry(self) -> Registry:
        """The registry of their models."""
        return Registry(self.settings.registry)

    def publish(self, events: Sequence[Event]) -> list[Published]:
        """Publish events; return where the log has them."""
        return self.bus.producer().publish([Outgoing.of(event) for event in events])

    def wait(self, places: Sequence[Published]) -> None:
        """Wait until every consumer has gone past all of these places."""
        last = {place.partition: place.offset for place in places}
        store = RedisStore(self.settings.redis_url.get_secret_value())

        def passed() -> bool:
            return all(
                (store.position(self._keys(name).of(partition)) or 0) > offset
                for name in self.names
                for partition, offset in last.items()
            )

        until(passed)
        store.close()

    @contextmanager
    def consuming(self, *others: Loop) -> Iterator[None]:
        """Run all consumers, and other loops, until the block ends."""
        with looping([*(self._worker(parts).run for parts in self.parts), *others]):
            yield

    @asynccontextmanager
    async def serving(self, *others: Loop) -> AsyncIterator[Mapping[str, httpx.AsyncClient]]:
        """Run all consumers and apps until the block ends; yield a client of each app by name."""
        consuming, clients = self.consuming(*others), {}
        async with AsyncExitStack() as stack:
            for parts in self.parts:
                app, name = create_app(parts.app, self.settings), parts.app.name
                await stack.enter_async_context(app.router.lifespan_context(app))
                transport = httpx.ASGITransport(app)
                client = httpx.AsyncClient(transport=transport, base_url=f"http://{name}")
                clients[name] = await stack.enter_async_context(client)
            consuming.__enter__()
            try:
                yield clients
            finally:  # threads are joined while the apps go on
                await asyncio.to_thread(consuming.__exit__, None, None, None)

    def _keys(self, name: str) -> Keys:
        return Keys(self.settings.namespace, name, self.settings.partitions)

    def _worker(self, parts: ServiceParts) -> Worker:
        settings, name = self.settings, parts.app.name
        keys, store = self._keys(name), RedisStore(settings.redis_url.get_secret_value())
        projection: ModelProjection[Any] = ModelProjection(
            keys,
            store,
            self.registry,
            parts.app.load,
            handlers_of(name),
            parts.derive_rows,
            parts.restore,
        )
        return Worker(
            keys,
            (MOVIES, RATINGS, MODELS),
            self.bus,
            store,
            StoredSnapshots(settings.history),
            projection,
            Pace(pauses=(), compare_seconds=0.1),
            recent_messages_in_log(settings),
        )
