"""What the gateway does with events: viewers' profiles, the catalogue, and curators' rules."""

from typing import Any

from marquee.bus import TopicPartition
from marquee.buses import open_bus
from marquee.events import (
    MOVIES,
    RATINGS,
    MovieBlocked,
    MovieEvent,
    MoviePromoted,
    MovieUnblocked,
    MovieUnpromoted,
)
from marquee.facts import (
    FILM_HANDLERS,
    VIEWER_HANDLERS,
    Handlers,
    PartitionSnapshot,
    restore_facts,
)
from marquee.service import consume
from marquee.settings import Settings
from marquee.step import Step
from marquee.store import Keys, RedisStore
from marquee.stored_snapshots import StoredSnapshots
from marquee.worker import Pace, Worker


def promote(step: Step, event: MoviePromoted) -> None:
    """Place the film from now on; a second promotion replaces the first."""
    _set(step, event, "promotion")


def unpromote(step: Step, event: MovieUnpromoted) -> None:
    """Place the film no more."""
    _set(step, event, "promotion", removed=True)


def block(step: Step, event: MovieBlocked) -> None:
    """Keep the film out of every answer."""
    _set(step, event, "block")


def unblock(step: Step, event: MovieUnblocked) -> None:
    """Let the film into answers again."""
    _set(step, event, "block", removed=True)


def _set(step: Step, event: MovieEvent, kind: str, removed: bool = False) -> None:
    movie_id = event.data.movie_id
    rules: dict[str, Any] = step.rules(movie_id)
    if removed:
        rules.pop(kind, None)
    else:
        data = event.data.model_dump(mode="json", by_alias=True)
        rules[kind] = data | {"at": event.time.isoformat(), "event_id": event.id}
    step.put_rules(movie_id, rules)


HANDLERS: Handlers = {
    **FILM_HANDLERS,
    **VIEWER_HANDLERS,
    MoviePromoted: promote,
    MovieUnpromoted: unpromote,
    MovieBlocked: block,
    MovieUnblocked: unblock,
}


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
            keys, (MOVIES, RATINGS), bus, store, snapshots, GatewayReaction(), Pace(settings.batch)
        ),
    )
