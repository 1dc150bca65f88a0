"""The gateway's projection of events: users' profiles, the catalogue, and curators' rules."""

from marquee.bus.api import TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.batches import Pace
from marquee.consumer.deduplication import recent_messages_in_log
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.process import consume
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import MOVIES, RATINGS
from marquee.settings import Settings
from marquee.snapshots.partition import PartitionSnapshot
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore

HANDLERS: Handlers = handlers_of("gateway")


class GatewayProjection:
    """Projection of facts alone: the gateway has no model, so nothing is derived."""

    handlers = HANDLERS

    def derive_rows(self, _: UnitOfWork) -> str | None:
        """Derive nothing."""
        return None

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
        """Put the facts of a piece of a snapshot, rules among them."""
        restore_facts(unit_of_work, piece)
        for event in piece.rules:
            HANDLERS[type(event)](unit_of_work, event)

    def on_idle(self, _: frozenset[TopicPartition]) -> None:
        """Have nothing to do between steps."""


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    keys = Keys(settings.namespace, "gateway", settings.partitions)
    store = RedisStore(settings.redis_url.get_secret_value())
    snapshots = StoredSnapshots(settings.history)
    consume(
        settings,
        open_bus(settings),
        lambda bus: Worker(
            keys,
            (MOVIES, RATINGS),
            bus,
            store,
            snapshots,
            GatewayProjection(),
            Pace(settings.batch),
            recent_messages_in_log(settings),
        ),
    )
