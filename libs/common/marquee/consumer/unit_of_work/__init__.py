"""Unit of work: the reads and writes of a batch of one partition, applied atomically."""

from marquee.consumer.unit_of_work.changes import (
    Handler,
    Handlers,
    UnitOfWork,
    apply_event,
    prefetch,
)

__all__ = ["Handler", "Handlers", "UnitOfWork", "apply_event", "prefetch"]
