"""Partition assignment: deterministic round robin over the sorted members of a group."""

from collections.abc import Callable, Iterable, Mapping
from zlib import crc32

from marquee.bus.api import TopicPartition
from marquee.errors import PositionLost


def assign_partitions(
    member: str, members: Iterable[str], topic: str, partitions: int
) -> set[TopicPartition]:
    """Return the partitions of a topic assigned to `member`; every member computes the same.

    Round robin over the sorted members; the start differs between topics, so that topics of one
    partition do not all fall to the first member.

    Args:
        member: The member whose partitions to return; none if it is not one of `members`.
        members: Names of all members of the group.
        topic: Name of the topic.
        partitions: Number of its partitions.
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
    """Build the error for a position outside of the log, `begin` ≤ position ≤ `end`."""
    loss = "has dropped messages that were not read" if position < begin else "has lost messages"
    return PositionLost(
        f"{partition}: position {position}, but the log holds {begin} to {end}: it {loss}; bring"
        " them back, or fill the service's store anew from the newest snapshot:"
        " marquee rebuild --replace"
    )


def partition_count_fault(topic: str, count: int, expected: int) -> str:
    """Describe a topic without the number of partitions over which the stored facts are spread."""
    return (
        f"topic {topic} has {count} partitions, but this system was set up with {expected}, and"
        f" keys would move: set MARQUEE_PARTITIONS={count} with a new MARQUEE_NAMESPACE and publish"
        f" the history anew, or bring the topic back with {expected}"
    )


class Assignment:
    """The partitions announced to a member's callbacks, each with the next offset to read."""

    def __init__(
        self,
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._tokens: dict[TopicPartition, int] = {}

    def reconcile(self, tokens: Mapping[TopicPartition, int]) -> set[TopicPartition]:
        """Announce the differences to the partitions that the member has now; return the new ones.

        An error of `on_assigned` passes on, and the partition is announced again next time.

        Args:
            tokens: The member's partitions, each with a token of its assignment; another token
                than before means that another member had the partition meanwhile.
        """
        for partition in sorted(self.positions):
            if not self.holds(partition, tokens):
                del self.positions[partition], self._tokens[partition]
                self._on_revoked(partition)
        new = tokens.keys() - self.positions.keys()
        for partition in sorted(new):
            self.positions[partition] = self._on_assigned(partition)
            self._tokens[partition] = tokens[partition]
        return new

    def holds(self, partition: TopicPartition, tokens: Mapping[TopicPartition, int]) -> bool:
        """Return whether the member has kept the partition ever since it was announced."""
        return partition in tokens and tokens[partition] == self._tokens.get(partition)
