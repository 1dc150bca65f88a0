"""Unit of work: the reads and writes of one batch of one partition, applied together or not at all."""

from marquee.consumer.unit_of_work.changes import Handler, Handlers, UnitOfWork, prefetch

__all__ = ["Handler", "Handlers", "UnitOfWork", "prefetch"]
