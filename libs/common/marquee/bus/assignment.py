"""Who of a group reads which partitions, and what a member has been told of them."""

from collections.abc import Callable, Iterable, Mapping
from zlib import crc32

from marquee.bus.api import TopicPartition
from marquee.errors import PositionLost


def assign_partitions(
    member: str, members: Iterable[str], topic: str, partitions: int
) -> set[TopicPartition]:
    """Return the partitions of a topic that `member` shall read: every member computes the same.

    Round robin over the sorted members; the start differs between topics, so that topics of one
    partition do not all fall to the first member.
    """
    ordered = sorted(members)
    if member not in ordered:
        return set()
    first = ordered.index(member) - crc32(topic.encode())
    return {
        TopicPartition(topic, partition)
        for partition in range(partitions)
        if (partition - first) % len(ordered) == 0
    }


def position_lost(partition: TopicPartition, position: int, begin: int, end: int) -> PositionLost:
    """Return the error of a position outside of the log, `begin` ≤ position ≤ `end`."""
    what = "has dropped messages that were not read" if position < begin else "has lost messages"
    return PositionLost(
        f"{partition}: position {position}, but the log holds {begin} to {end}: it {what}; bring"
        " them back, or fill the service's store anew from the newest snapshot:"
        " marquee rebuild --replace"
    )


def partition_count_fault(topic: str, found: int, wanted: int) -> str:
    """Say that a topic does not have the partitions that the stored facts are spread over."""
    return (
        f"topic {topic} has {found} partitions, but this system was set up with {wanted}, and keys"
        f" would move: set MARQUEE_PARTITIONS={found} with a new MARQUEE_NAMESPACE and publish the"
        f" history anew, or bring the topic back with {wanted}"
    )


class Assignment:
    """The partitions that a member has been told of, each with the next offset to read."""

    def __init__(
        self,
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._tokens: dict[TopicPartition, int] = {}

    def reconcile(self, held: Mapping[TopicPartition, int]) -> set[TopicPartition]:
        """Announce what has changed and return the new partitions.

        `held` has a token for each partition; another token than before means that the partition
        was away meanwhile. What `on_assigned` raises passes on, and it is asked again next time.
        """
        for partition in sorted(self.positions):
            if not self.holds(partition, held):
                del self.positions[partition], self._tokens[partition]
                self._on_revoked(partition)
        new = held.keys() - self.positions.keys()
        for partition in sorted(new):
            self.positions[partition] = self._on_assigned(partition)
            self._tokens[partition] = held[partition]
        return new

    def holds(self, partition: TopicPartition, held: Mapping[TopicPartition, int]) -> bool:
        """Tell whether the partition has been the member's own since it was announced."""
        return partition in held and held[partition] == self._tokens.get(partition)
