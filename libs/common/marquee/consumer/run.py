"""The consumer process of a model service, from settings to a running loop."""

from collections.abc import Callable
from pathlib import Path

from marquee.bus.api import Bus
from marquee.bus.factory import open_bus
from marquee.consumer.batches import Pace
from marquee.consumer.deduplication import recent_messages_in_log
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import DeriveRows, M, ModelProjection
from marquee.consumer.process import consume
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.snapshots.partition import PartitionSnapshot
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore


def consume_with_model(
    settings: Settings,
    name: str,
    load: Callable[[Path], M],
    handlers: Handlers,
    derive_rows: DeriveRows[M],
    restore: Callable[[UnitOfWork, PartitionSnapshot], None] = restore_facts,
) -> None:
    """Run the consumer of a model service until told to stop.

    Args:
        settings: The process's settings.
        name: The service's name, which is the model's name too.
        load: Loads a model version from its folder.
        handlers: Changes of facts, by the type of event.
        derive_rows: Puts the rows of what a unit of work changed, under a model.
        restore: Puts the facts of a piece of a snapshot.
    """
    keys = Keys(settings.namespace, name, settings.partitions)
    store = RedisStore(settings.redis_address)
    registry = Registry(settings.registry)
    projection = ModelProjection(keys, store, registry, load, handlers, derive_rows, restore)
    snapshots = StoredSnapshots(settings.history)

    def make(bus: Bus) -> Worker:
        topics, pace = (MOVIES, RATINGS, MODELS), Pace(settings.batch)
        recent = recent_messages_in_log(settings)
        worker = Worker(keys, topics, bus, store, snapshots, projection, pace, recent)
        projection.progress = worker.health.beat
        return worker

    consume(settings, open_bus(settings), make)
