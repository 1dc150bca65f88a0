"""Producer on Kafka: idempotent, with the partition computed here."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from kafka.errors import IllegalStateError, KafkaError, MessageSizeTooLargeError

from marquee.bus.api import Outgoing, Published, TopicPartition
from marquee.bus.kafka.client import KafkaNames
from marquee.errors import InvalidInput
from marquee.events.partitioning import partition_of_bytes

_ABANDON_S = 2.0
"""Seconds that the end of a process waits for a producer that is given up."""


class KafkaProducer:
    """See `Producer`. After an error pending messages are given up; the next call reconnects."""

    def __init__(
        self,
        connect: Callable[[], Any],
        names: KafkaNames,
        partitions: Callable[[str], int],
        timeout_s: float,
        translate_errors: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._open_producer = connect
        self._names = names
        self._partitions = partitions
        self._timeout_s = timeout_s
        self._translate_errors = translate_errors
        self._lock = threading.Lock()
        self._producer: Any = None

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """See `Producer.publish`."""
        deadline = time.monotonic() + self._timeout_s
        targets = [
            TopicPartition(m.topic, partition_of_bytes(m.key, self._partitions(m.topic)))
            for m in messages
        ]
        with self._translate_errors():
            producer = self._connected()
            try:
                futures = [
                    self._send(producer, target, message)
                    for target, message in zip(targets, messages, strict=True)
                ]
            except MessageSizeTooLargeError as error:
                raise InvalidInput(f"message: {error}") from error
            except KafkaError:
                self._drop(producer)
                raise
            try:
                sent = [future.get(max(0.0, deadline - time.monotonic())) for future in futures]
            except KafkaError:
                # After a refusal by the broker an idempotent producer takes no message any more.
                self._drop(producer)
                raise
        return [
            Published(target, metadata.offset)
            for target, metadata in zip(targets, sent, strict=True)
        ]

    def close(self) -> None:
        """See `Producer.close`."""
        with self._lock:
            if self._producer is None:
                return
            try:
                self._producer.close(self._timeout_s)
            except KafkaError:
                _abandon(self._producer).join(_ABANDON_S)

    def _connected(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = self._open_producer()
            return self._producer

    def _send(self, producer: Any, target: TopicPartition, message: Outgoing) -> Any:
        return producer.send(
            self._names.on_cluster(target.topic),
            key=message.key,
            value=message.value,
            headers=[(name, value.encode()) for name, value in message.headers.items()],
            partition=target.partition,
        )

    def _drop(self, producer: Any) -> None:
        # What waits in a failed producer must not arrive after what is published next.
        with self._lock:
            if self._producer is producer:
                self._producer = None
        _abandon(producer)


def _abandon(producer: Any) -> threading.Thread:
    """Give up what waits in a producer of the client; return the thread that closes the rest.

    The client's own `close(0)` flushes first: with messages that wait it raises at once, and the
    producer goes on to send them. Its connections end later, beside the next call: a broker that
    does not answer would hold it up.
    """
    producer._sender.force_close()
    with contextlib.suppress(KafkaError):  # of a batch that just ended by itself
        producer._accumulator.abort_undrained_batches(IllegalStateError("given up"))
    closing = threading.Thread(target=_close_after_end, args=(producer,), daemon=True)
    closing.start()
    return closing


def _close_after_end(producer: Any) -> None:
    producer._sender.join()
    with contextlib.suppress(KafkaError):
        producer.close(0)
