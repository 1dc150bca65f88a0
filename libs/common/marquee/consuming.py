"""The consumer process of a model service, from settings to a running loop."""

from collections.abc import Callable
from pathlib import Path

from marquee.bus import Bus
from marquee.buses import open_bus
from marquee.events import MODELS, MOVIES, RATINGS
from marquee.facts import Handlers, PartitionSnapshot, restore_facts
from marquee.follower import Derive, M, ModelReaction
from marquee.registry import Registry
from marquee.service import consume
from marquee.settings import Settings
from marquee.step import Step
from marquee.store import Keys, RedisStore
from marquee.stored_snapshots import StoredSnapshots
from marquee.whole_log import recent_in_log
from marquee.worker import Pace, Worker


def consume_with_model(
    settings: Settings,
    name: str,
    load: Callable[[Path], M],
    handlers: Handlers,
    derive: Derive[M],
    restore: Callable[[Step, PartitionSnapshot], None] = restore_facts,
) -> None:
    """Run the consumer of a model service until told to stop."""
    keys = Keys(settings.namespace, name, settings.partitions)
    store = RedisStore(settings.redis_url.get_secret_value())
    registry = Registry(settings.registry)
    reaction = ModelReaction(keys, store, registry, load, handlers, derive, restore)
    snapshots = StoredSnapshots(settings.history)

    def make(bus: Bus) -> Worker:
        topics, pace = (MOVIES, RATINGS, MODELS), Pace(settings.batch)
        recent = recent_in_log(settings)
        worker = Worker(keys, topics, bus, store, snapshots, reaction, pace, recent)
        reaction.progress = worker.beat
        return worker

    consume(settings, open_bus(settings), make)
