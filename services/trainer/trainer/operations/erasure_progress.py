"""Progress of an erasure by its position alone: which stores hold nothing of the viewer any more.

Other than the receipts of `marquee erasure`, nothing is searched, so the viewer's id is not needed.
What cannot be told by the position says how long it is kept at most.
"""

from collections.abc import Iterator

from marquee.bus.api import TopicPartition
from marquee.counts import counted
from marquee.domain.models import MODEL_NAMES
from marquee.events import RATINGS
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.snapshots.format import newest_snapshot
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from trainer.operations.erasure import MASKED, StoreReceipt
from trainer.operations.inspection import SERVICES
from trainer.operations.log_reader import LogReader


def erasure_progress(settings: Settings, partition: int, offset: int) -> list[StoreReceipt]:
    """Return what is left in each store of the viewer whose erasure has a position in the log.

    Args:
        settings: Settings of the system.
        partition: Partition of `ratings`.
        offset: Offset of the erasure there.

    Raises:
        StoreUnavailable, BusUnavailable: Redis or the bus does not answer.
    """
    place = TopicPartition(RATINGS, partition)
    return [
        *_in_redis(settings, place, offset),
        StoreReceipt("history", _in_history(settings, place, offset)),
        StoreReceipt("log", _in_log(settings, place, offset)),
        *(
            StoreReceipt(f"versions: {name}", _in_versions(settings, name, place, offset))
            for name in MODEL_NAMES
        ),
    ]


def _in_redis(settings: Settings, place: TopicPartition, offset: int) -> Iterator[StoreReceipt]:
    """Yield the services: a consumer removes a viewer in the step that passes the erasure."""
    store = RedisStore(settings.redis_address, timeout=2.0)
    try:
        for service in SERVICES:
            keys = Keys(settings.namespace, service, settings.partitions).of(place)
            passed = (store.position(keys) or 0) > offset
            left = "" if passed else "the consumer has not come to the erasure yet"
            yield StoreReceipt(f"redis: {service}", left)
    finally:
        store.close()


def _in_history(settings: Settings, place: TopicPartition, offset: int) -> str:
    snapshot = newest_snapshot(settings.history)
    if snapshot is not None and snapshot.position(place.topic, place.partition) > offset:
        return ""
    return "until the next compaction, at the latest after a training"


def _in_log(settings: Settings, place: TopicPartition, offset: int) -> str:
    log = LogReader(settings)
    try:
        begin, _ = log.range(place)
    finally:
        log.close()
    if begin > offset:
        return ""
    if settings.bus == "redis":
        return "until the stream is trimmed, since nothing in it expires"
    return f"until the log's retention of {counted(settings.kafka_retention_days, 'day')} is over"


def _in_versions(settings: Settings, name: str, place: TopicPartition, offset: int) -> str:
    if not settings.registry.is_dir():
        return ""
    registry = Registry(settings.registry)
    old = [
        version
        for version in registry.versions(name)
        if registry.manifest(name, version).cut.get(str(place), 0) <= offset
    ]
    if not old:
        return ""
    masked = "masked where it serves; " if name == MASKED else ""
    return f"{masked}{len(old)} trained before: until they expire, the last {max(old)}"
