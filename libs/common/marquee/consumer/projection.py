"""The projection a service plugs into the consumer loop, and the snapshots it starts from."""

from typing import Protocol

from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.snapshots.partition import PartitionSnapshot


class Projection(Protocol):
    """One service's projection of events: facts, and rows derived from them."""

    handlers: Handlers
    """The change of facts by each type of event; other events are ignored."""

    def derive_rows(self, unit_of_work: UnitOfWork, /) -> str | None:
        """Derive the rows of all that changed; return the model version they belong to."""
        ...

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot, /) -> None:
        """Put the facts of a piece of a snapshot."""
        ...

    def on_idle(self, partitions: frozenset[TopicPartition], /) -> str | None:
        """Do what is due between batches, such as re-deriving rows for a new model version.

        Returns:
            Why the service cannot do its work now; None if it can.
        """
        ...


class Snapshots(Protocol):
    """The source of facts for partitions that the store does not have."""

    def read(self, partition: TopicPartition, /) -> PartitionSnapshot | None:
        """Return the newest snapshot of a partition, None when there is none."""
        ...
