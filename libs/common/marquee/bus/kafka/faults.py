"""Errors of the Kafka client in plain words: what is wrong, and the remedy."""

from collections.abc import Mapping
from typing import Final

from kafka import errors

SERVERS = "MARQUEE_KAFKA_SERVERS"
_SILENT = "no answer in time: see whether the broker is stopped, too busy or cut off"
_AWAY = f"no broker of {SERVERS} answers: start it, or correct the address"

WORDS: Final[Mapping[type[Exception], str]] = {
    errors.NotEnoughReplicasError: (
        "fewer copies of the topic are in step than min.insync.replicas: start the other brokers"
    ),
    errors.NotEnoughReplicasAfterAppendError: (
        "fewer copies of the topic are in step than min.insync.replicas: start the other brokers"
    ),
    errors.MessageSizeTooLargeError: (
        "the topic takes no messages as long as these: raise its max.message.bytes to 1048588"
    ),
    errors.RecordListTooLargeError: (
        "the topic takes no messages as long as these: raise its max.message.bytes to 1048588"
    ),
    errors.UnknownTopicOrPartitionError: (
        "a topic is gone: bring it back, or restart a consumer, which makes it anew"
    ),
    errors.RequestTimedOutError: _SILENT,
    errors.KafkaTimeoutError: _SILENT,
    errors.KafkaConnectionError: _AWAY,
    errors.NodeNotReadyError: _AWAY,
}
"""Class of an error → words with the remedy."""


def describe(error: Exception) -> str:
    """Return the text for an error of the client: what is wrong, with its remedy."""
    known = (words for kind, words in WORDS.items() if isinstance(error, kind))
    name, own = type(error).__name__, str(error)
    words = next(known, own or name)
    return words if words in (own, name) else f"{words} ({name}: {own or 'no details'})"
