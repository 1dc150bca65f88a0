"""What the consumer loop asks of a service: what events change, and where facts begin."""

from typing import Protocol

from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.snapshots.partition import PartitionSnapshot


class Projection(Protocol):
    """What one service does with events."""

    handlers: Handlers

    def derive_rows(self, unit_of_work: UnitOfWork, /) -> str | None:
        """Derive the rows of what the step changed; return the model version they belong to."""
        ...

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot, /) -> None:
        """Put the facts of a piece of a snapshot."""
        ...

    def assigned(self, partition: TopicPartition, /) -> None:
        """Take note that a partition is this consumer's from now on, or anew."""
        ...

    def on_idle(self, partitions: frozenset[TopicPartition], /) -> None:
        """Do what is due between steps, such as re-deriving rows for a new model version."""
        ...


class Snapshots(Protocol):
    """Where facts come from when the store has none."""

    def read(self, partition: TopicPartition, /) -> PartitionSnapshot | None:
        """Return the newest snapshot of a partition, None when there is none."""
        ...
