"""Unit of work: what a batch of one partition reads and writes, applied together or not at all."""

from marquee.consumer.unit_of_work.changes import Handler, Handlers, UnitOfWork, prefetch

__all__ = ["Handler", "Handlers", "UnitOfWork", "prefetch"]
