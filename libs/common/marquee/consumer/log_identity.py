"""Detection of re-created topics by id, so that a position never counts in another log."""

import time
from collections.abc import Sequence

from marquee.bus.api import Bus, TopicPartition
from marquee.bus.assignment import partition_count_fault
from marquee.errors import LogChanged, NotFound
from marquee.store.keys import Keys

CHECK_SECONDS = 5.0
"""How often topics are checked while they are read."""


class LogIdentity:
    """Compares topics with those in which a service's positions were counted.

    An offset says nothing about a topic that was deleted and re-created: it may well lie within the
    new log, and everything before it would be skipped. With another number of partitions, keys
    have moved.
    """

    def __init__(self, bus: Bus, keys: Keys, topics: Sequence[str], remedy: str = "") -> None:
        """Take the topics of a service; `remedy` says how to rebuild its facts from another log."""
        self._bus, self._topics = bus, topics
        self._remedy = remedy or (
            "fill this service's store from the new one:"
            f" marquee rebuild --replace --service {keys.service}"
        )
        self._counts = {topic: len(keys.all(topic)) for topic in topics}
        self._ids: dict[str, str] = {}
        self._checked = 0.0

    def check_partition(self, partition: TopicPartition, stored_id: str | None) -> str:
        """Return the id of a partition's topic.

        Raises:
            LogChanged: The id is not the stored one, or the topic has other partitions.
        """
        topic_id = self._topic_id(partition.topic)
        if stored_id is not None and stored_id != topic_id:
            raise LogChanged(
                f"{partition}: the topic was deleted and made anew (its id is {topic_id}, the"
                f" stored position counts in {stored_id}); bring the old topic back, or"
                f" {self._remedy}"
            )
        self._ids[partition.topic] = topic_id
        return topic_id

    def check_topics(self) -> None:
        """Check all topics, at most every `CHECK_SECONDS`.

        Raises:
            LogChanged: A topic was re-created, at this call and at each one that follows.
        """
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return
        for topic in self._topics:
            topic_id = self._topic_id(topic)
            if self._ids.setdefault(topic, topic_id) != topic_id:
                raise LogChanged(
                    f"topic {topic} was deleted and made anew while it was read; bring the old one"
                    f" back, or {self._remedy}"
                )
        self._checked = time.monotonic()

    def _topic_id(self, topic: str) -> str:
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
