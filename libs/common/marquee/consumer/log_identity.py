"""Whether a log is still the one in which the stored positions count: never a silent reset."""

import time
from collections.abc import Sequence

from marquee.bus.api import Bus, TopicPartition
from marquee.bus.assignment import partition_count_fault
from marquee.errors import LogChanged, NotFound
from marquee.store.keys import Keys

CHECK_SECONDS = 5.0
"""How often the topics are looked at while they are read."""


class LogIdentity:
    """Compares topics with what a service's positions were counted in.

    An offset says nothing of a topic that was deleted and made anew: it may well lie within the new
    log, and everything before it would be passed over. With other partitions, keys have moved.
    """

    def __init__(self, bus: Bus, keys: Keys, topics: Sequence[str], remedy: str = "") -> None:
        """Compare for a service. `remedy` says how its facts are made anew from another log."""
        self._bus, self._topics = bus, topics
        self._remedy = remedy or (
            "fill this service's store from the new one:"
            f" marquee rebuild --replace --service {keys.service}"
        )
        self._counts = {topic: len(keys.all(topic)) for topic in topics}
        self._ids: dict[str, str] = {}
        self._looked = 0.0

    def check_partition(self, partition: TopicPartition, stored: str | None) -> str:
        """Return the id of a partition's topic; LogChanged: it is not the stored one."""
        found = self._found(partition.topic)
        if stored is not None and stored != found:
            raise LogChanged(
                f"{partition}: the topic was deleted and made anew (its id is {found}, the stored"
                f" position counts in {stored}); bring the old topic back, or"
                f" {self._remedy}"
            )
        self._ids[partition.topic] = found
        return found

    def check_topics(self) -> None:
        """Check the topics again when it is time; what differs is said at every call."""
        if time.monotonic() - self._looked < CHECK_SECONDS:
            return
        for topic in self._topics:
            found = self._found(topic)
            if self._ids.setdefault(topic, found) != found:
                raise LogChanged(
                    f"topic {topic} was deleted and made anew while it was read; bring the old one"
                    f" back, or {self._remedy}"
                )
        self._looked = time.monotonic()

    def _found(self, topic: str) -> str:
        try:
            state = self._bus.topic(topic)
        except NotFound:
            raise LogChanged(
                f"topic {topic} is gone; bring it back, or restart this process, which makes it"
                " anew"
            ) from None
        if state.partitions != self._counts[topic]:
            raise LogChanged(partition_count_fault(topic, state.partitions, self._counts[topic]))
        return state.id
