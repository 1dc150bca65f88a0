"""Gauge of dead letters by topic and state, kept up to date from the logs of dead letters."""

from marquee import telemetry
from marquee.bus.api import TopicPartition, dead_letter_topic
from marquee.bus.log import PartitionLog
from marquee.dead_letters.ledger import STATES, DeadLetterLedger
from marquee.errors import NotFound
from marquee.events import TOPICS


class DeadLetterGauge:
    """Reads the additions to the logs of dead letters since the last update; sets the gauge."""

    def __init__(self, log: PartitionLog) -> None:
        self._log = log
        self._read: dict[str, tuple[int, int, DeadLetterLedger]] = {}
        """Topic → first offset of the log, next offset to read, and the ledger up to there."""

    def update(self) -> None:
        """Bring the gauge up to date; after BusUnavailable it stays as it was."""
        for topic in TOPICS:
            partition = TopicPartition(dead_letter_topic(topic), 0)
            try:
                begin, end = self._log.range(partition)
            except NotFound:
                continue  # no consumer has started here yet
            known = self._read.get(topic, (begin, begin, DeadLetterLedger()))
            known_begin, position, ledger = known
            if known_begin != begin or position > end:  # messages were removed, or all was lost
                position, ledger = begin, DeadLetterLedger()
            for message in self._log.read(partition, position, end):
                ledger.add(message)
            self._read[topic] = (begin, end, ledger)
            self._set(topic, ledger)

    def close(self) -> None:
        """Close the connection."""
        self._log.close()

    def _set(self, topic: str, ledger: DeadLetterLedger) -> None:
        states = [dead_letter.state for dead_letter in ledger.resolved()]
        for state in STATES:
            telemetry.DEAD_KEPT.labels(topic, state).set(states.count(state))
