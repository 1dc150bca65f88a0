"""How many dead letters there are, kept up to date as a measure."""

from marquee import telemetry
from marquee.bus.api import TopicPartition, dead_letter_topic
from marquee.bus.log import PartitionLog
from marquee.dead_letters.ledger import STATES, DeadLetterLedger
from marquee.errors import NotFound
from marquee.events import TOPICS


class DeadLetterGauge:
    """Reads what came to the dead logs since the last look, and sets the measure."""

    def __init__(self, log: PartitionLog) -> None:
        self._log = log
        self._read: dict[str, tuple[int, int, DeadLetterLedger]] = {}
        """Topic → where the log began, where reading goes on, and what was found."""

    def update(self) -> None:
        """Bring the measure up to date; BusUnavailable leaves it as it was."""
        for topic in TOPICS:
            partition = TopicPartition(dead_letter_topic(topic), 0)
            try:
                begin, end = self._log.range(partition)
            except NotFound:
                continue  # no consumer has started here yet
            began, position, ledger = self._read.get(topic, (begin, begin, DeadLetterLedger()))
            if began != begin or position > end:
                position, ledger = (
                    begin,
                    DeadLetterLedger(),
                )  # letters were forgotten, or all was lost
            for message in self._log.read(partition, position, end):
                ledger.add(message)
            self._read[topic] = (begin, end, ledger)
            self._say(topic, ledger)

    def close(self) -> None:
        """Let go of the connection."""
        self._log.close()

    def _say(self, topic: str, ledger: DeadLetterLedger) -> None:
        states = [dead_letter.state for dead_letter in ledger.resolved()]
        for state in STATES:
            telemetry.DEAD_KEPT.labels(topic, state).set(states.count(state))
