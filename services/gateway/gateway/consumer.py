"""The gateway's projection of events: users' profiles, the catalogue, and curators' rules."""

from marquee.bus.api import TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.batches import Pace
from marquee.consumer.deduplication import recent_messages_in_log
from marquee.consumer.handlers.audit import audited
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.process import consume
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import MOVIES, RATINGS
from marquee.events.user_buckets import BUCKETS, pack_buckets
from marquee.settings import Settings
from marquee.snapshots.partition import PartitionSnapshot
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore

HANDLERS: Handlers = handlers_of("gateway")
AUDITED: Handlers = audited(HANDLERS)


class GatewayProjection:
    """Projection of facts and their audit: the gateway has no model, so nothing is derived."""

    handlers = AUDITED

    def __init__(self, audit_entries: int = Settings().audit_entries) -> None:
        """Keep so many of the newest audit entries of each kind, in each partition."""
        self._audit_entries = audit_entries

    def derive_rows(self, unit_of_work: UnitOfWork) -> str | None:
        """Derive nothing; tell whose facts changed, and remove audit entries that are too many."""
        if unit_of_work.users:
            unit_of_work.announce(BUCKETS, pack_buckets(unit_of_work.users))
        for key in unit_of_work.audit_keys:
            unit_of_work.write("ZREMRANGEBYRANK", key, 0, -self._audit_entries - 1)
        return None

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
        """Put the facts of a piece of a snapshot, rules and texts of movies' ids among them."""
        restore_facts(unit_of_work, piece)
        for movie_id, text in piece.movie_texts.items():
            unit_of_work.put_movie_text(movie_id, text)
        for event in piece.rules:
            HANDLERS[type(event)](unit_of_work, event)

    def on_idle(self, _: frozenset[TopicPartition]) -> None:
        """Have nothing to do between steps."""


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    keys = Keys(settings.namespace, "gateway", settings.partitions)
    store = RedisStore(settings.redis_address)
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
            GatewayProjection(settings.audit_entries),
            Pace(settings.batch),
            recent_messages_in_log(settings),
        ),
    )
