"""Remedies for each reason for which a message becomes a dead letter."""

from collections.abc import Mapping

from marquee.dead_letters.ledger import DeadLetter

_DEFAULT_REMEDY = (
    "the producer has to send the field that the reason names as docs/asyncapi.yaml describes it;"
    " publish a right event, then discard this letter"
)
_REMEDIES: Mapping[str, str] = {
    "handler failed": "mend the cause (the consumer's log has the trace), deploy it, then retry",
    "the producer must use murmur2": "retry puts it on the right partition, unless later events"
    " of its key are there; set the producer's partitioner (librdkafka: murmur2_random)",
    "is not the event's id": "retry publishes it under its own id, unless later events of it are"
    " there; the producer has to use the id in decimal digits as the key",
    "belongs on topic": "retry publishes it on its own topic, unless later events of its key are"
    " there; the producer has to choose the topic by the event's type",
    "bytes, at most": "the producer has to send less; it is not kept whole: discard it",
    "does not match any of the expected tags": "the type is none of ours, or of a newer release:"
    " deploy that, then retry; else discard it",
    "Invalid JSON": "it cannot be read: the producer has to send it anew; discard it",
}


def remedy_for(dead_letter: DeadLetter) -> str:
    """Return the remedy for the reason of a dead letter."""
    for words, remedy in _REMEDIES.items():
        if words in dead_letter.reason:
            return remedy
    return _DEFAULT_REMEDY
