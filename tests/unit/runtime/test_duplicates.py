"""Late duplicates: they take no effect, and the metric of the dashboard counts them."""

from prometheus_client import REGISTRY

from marquee.bus.api import Outgoing, TopicPartition
from marquee.consumer.handlers.by_service import handlers_of
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import MOVIES, RATINGS, RatingAdded
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys
from marquee_testing.fakes.bus import MemoryBus
from marquee_testing.fakes.store import MemoryStore


class FactsOnly:
    """The facts of the gateway, without snapshots and derived rows."""

    handlers: Handlers = handlers_of("gateway")

    def derive_rows(self, _: UnitOfWork) -> str | None:
        return None

    def restore(self, _: UnitOfWork, __: PartitionSnapshot) -> None:
        return

    def on_idle(self, _: frozenset[TopicPartition]) -> None:
        return


class NoSnapshots:
    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"group": "counted", "topic": RATINGS, **labels}) or 0.0


def test_repeats_within_a_batch_and_after_it_are_counted_and_take_no_effect() -> None:
    bus, store, keys = MemoryBus(), MemoryStore(), Keys("test", "counted", 1)
    bus.create_topics({RATINGS: 1, MOVIES: 1})
    worker = Worker(keys, (RATINGS, MOVIES), bus, store, NoSnapshots(), FactsOnly())
    event = RatingAdded.model_validate({"data": {"user_id": 1, "movie_id": 2, "rating": 3.0}})
    subscription, position = worker.subscribe(), keys.of(TopicPartition(RATINGS, 0))
    for repeats in (2, 3):
        expected = (store.position(position) or 0) + repeats
        bus.producer().publish([Outgoing.of(event)] * repeats)
        while store.position(position) != expected:
            worker.turn(subscription)
    assert count("marquee_duplicates_total") == 4
    assert count("marquee_events_total", type="rating.added") == 1
    subscription.close()
