"""Adaptation of the kafka-python client: its names and records."""

from typing import Any

import kafka

from marquee.bus.api import Message, TopicPartition


class KafkaNames:
    """Names of topics and groups on the cluster: with the namespace as prefix."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{namespace}." if namespace else ""

    def on_cluster(self, name: str) -> str:
        """Return the name of a topic or group on the cluster."""
        return self._prefix + name

    def to_client(self, partition: TopicPartition) -> Any:
        """Return a partition as the client names it."""
        return kafka.TopicPartition(self.on_cluster(partition.topic), partition.partition)

    def from_client(self, partition: Any) -> TopicPartition:
        """Return the partition that the client names."""
        return TopicPartition(partition.topic.removeprefix(self._prefix), partition.partition)


def message_from_record(record: Any) -> Message:
    """Convert a record of the client."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers if value}
    recorded = record.timestamp if record.timestamp > 0 else None  # -1: the broker keeps none
    return Message(record.offset, record.key or b"", record.value or b"", headers, recorded)
