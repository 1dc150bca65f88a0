"""What the gateway does with events: viewers' profiles, the catalogue, and curators' rules."""

from marquee.bus import TopicPartition
from marquee.buses import open_bus
from marquee.events import MOVIES, RATINGS
from marquee.facts import Handlers, PartitionSnapshot, restore_facts
from marquee.kept_facts import handlers_of
from marquee.service import consume
from marquee.settings import Settings
from marquee.step import Step
from marquee.store import Keys, RedisStore
from marquee.stored_snapshots import StoredSnapshots
from marquee.whole_log import recent_in_log
from marquee.worker import Pace, Worker

HANDLERS: Handlers = handlers_of("gateway")


class GatewayReaction:
    """The gateway keeps facts alone: it has no model, so nothing is derived."""

    handlers = HANDLERS

    def derive(self, _: Step) -> str | None:
        """Derive nothing."""
        return None

    def restore(self, step: Step, piece: PartitionSnapshot) -> None:
        """Put the facts of a piece of a snapshot, rules among them."""
        restore_facts(step, piece)
        for event in piece.rules:
            HANDLERS[type(event)](step, event)

    def assigned(self, _: TopicPartition) -> None:
        """Keep nothing of partitions."""

    def between(self, _: frozenset[TopicPartition]) -> None:
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
            GatewayReaction(),
            Pace(settings.batch),
            recent_in_log(settings),
        ),
    )
