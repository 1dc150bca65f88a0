"""How many dead letters there are, kept up to date as a measure."""

from marquee import telemetry
from marquee.bus.api import TopicPartition, dead
from marquee.bus.log import PartitionLog
from marquee.dead_letters.ledger import STATES, Ledger
from marquee.errors import NotFound
from marquee.events import TOPICS


class DeadCounts:
    """Reads what came to the dead logs since the last look, and sets the measure."""

    def __init__(self, log: PartitionLog) -> None:
        self._log = log
        self._read: dict[str, tuple[int, int, Ledger]] = {}
        """Topic → where the log began, where reading goes on, and what was found."""

    def look(self) -> None:
        """Bring the measure up to date; BusUnavailable leaves it as it was."""
        for topic in TOPICS:
            partition = TopicPartition(dead(topic), 0)
            try:
                begin, end = self._log.range(partition)
            except NotFound:
                continue  # no consumer has started here yet
            began, position, folded = self._read.get(topic, (begin, begin, Ledger()))
            if began != begin or position > end:
                position, folded = begin, Ledger()  # letters were forgotten, or all was lost
            for message in self._log.read(partition, position, end):
                folded.add(message)
            self._read[topic] = (begin, end, folded)
            self._say(topic, folded)

    def close(self) -> None:
        """Let go of the connection."""
        self._log.close()

    def _say(self, topic: str, folded: Ledger) -> None:
        states = [letter.state for letter in folded.settled()]
        for state in STATES:
            telemetry.DEAD_KEPT.labels(topic, state).set(states.count(state))
