"""Assignor of a consumer group on Kafka: each topic is spread over the members by itself."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from marquee.bus.api import TopicPartition
from marquee.bus.spread import Owners, spread_partitions


class TopicwiseAssignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Cooperative (KIP-429): a partition that moves is first given up, then given away.

    The protocol is that of the client's own cooperative assignor; only the final assignment is
    another one. All members of a group read the same topics.
    """

    name = "marquee-topicwise"

    def assign(self, cluster: Any, members: Iterable[Any]) -> dict[str, Any]:
        """Return what each member may read now.

        Args:
            cluster: The client's metadata of the cluster.
            members: Members with their metadata, as the client has decoded it.
        """
        parsed = {one.member_id: self.parse_member_metadata(one.metadata) for one in members}
        owned = _owned(parsed)
        topics = {
            topic: len(cluster.partitions_for_topic(topic) or ())
            for metadata in parsed.values()
            for topic in metadata.subscription
        }
        given = _given(spread_partitions(topics, owned), owned)
        return {
            member: ConsumerProtocolAssignment(self.version, sorted(given[member].items()), b"")
            for member in parsed
        }


def _owned(parsed: Mapping[str, Any]) -> dict[str, frozenset[TopicPartition]]:
    return {
        member: frozenset(TopicPartition(one.topic, one.partition) for one in metadata.partitions)
        for member, metadata in parsed.items()
    }


def _given(
    owners: Owners, owned: Mapping[str, frozenset[TopicPartition]]
) -> dict[str, dict[str, list[int]]]:
    """Return member → topic → partitions, without those that another member has yet to give up."""
    given: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for partition, member in sorted(owners.items()):
        if not any(partition in has for other, has in owned.items() if other != member):
            given[member][partition.topic].append(partition.partition)
    return given
