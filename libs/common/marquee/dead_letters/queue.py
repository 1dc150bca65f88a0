"""The dead-letter queue: list dead letters of all topics, record decisions, erase users."""

import contextlib
from collections.abc import Callable, Iterable

from marquee.bus.api import Outgoing, Producer, TopicPartition, dead_letter_topic
from marquee.bus.factory import open_bus
from marquee.bus.log import PartitionLog, open_log
from marquee.dead_letters.ledger import (
    RESOLVES_HEADER,
    DeadLetter,
    DeadLetterLedger,
    Resolution,
    State,
    fold,
    subject_id,
)
from marquee.errors import InvalidInput, NotFound, UnreadableEvent
from marquee.events import TOPICS, UserErased, now
from marquee.settings import Settings

_REWRITTEN_AT_ONCE = 100


class DeadLetterQueue:
    """Reads dead letters, and records the decisions about them."""

    def __init__(self, log: PartitionLog, producer: Producer) -> None:
        self.log, self.producer = log, producer

    def close(self) -> None:
        """Close the connections."""
        self.producer.close()
        self.log.close()

    def all(self, topic: str | None = None) -> list[DeadLetter]:
        """Return the dead letters of one topic, or of all, oldest first in each topic.

        Raises:
            InvalidInput: There is no such topic.
        """
        if topic is not None and topic not in TOPICS:
            raise InvalidInput(f"topic: {topic} is none of {', '.join(TOPICS)}", "topic")
        topics = TOPICS if topic is None else (topic,)
        return [dead_letter for name in topics for dead_letter in self._ledger(name).resolved()]

    def find(self, ids: Iterable[str]) -> list[DeadLetter]:
        """Return the dead letters of these ids.

        Raises:
            NotFound: There is no dead letter of an id; the message names the first such id.
        """
        wanted = list(dict.fromkeys(ids))
        topics = {name.rsplit("-", 2)[0] for name in wanted} & set(TOPICS)
        by_id = {letter.id: letter for topic in sorted(topics) for letter in self.all(topic)}
        for name in wanted:
            if name not in by_id:
                raise NotFound(f"there is no dead letter {name}; marquee dead list shows them")
        return [by_id[name] for name in wanted]

    def resolve(self, dead_letter: DeadLetter, state: State, actor: str, note: str = "") -> None:
        """Record the decision about a dead letter, its actor and its time."""
        resolution = Resolution(id=dead_letter.id, state=state, actor=actor, time=now(), note=note)
        topic = dead_letter_topic(dead_letter.partition.topic)
        value, headers = resolution.model_dump_json().encode(), {RESOLVES_HEADER: dead_letter.id}
        self.producer.publish([Outgoing(topic, dead_letter.message.key, value, headers)])

    def discard(self, dead_letter: DeadLetter, actor: str, reason: str) -> None:
        """Give a dead letter up.

        Raises:
            InvalidInput: It is resolved already.
        """
        if dead_letter.state != "open":
            state, by = dead_letter.state, dead_letter.actor
            raise InvalidInput(f"{dead_letter.id} is {state} already, by {by}")
        self.resolve(dead_letter, "discarded", actor, reason)

    def remove_user(self, user_id: int) -> int:
        """Remove all dead letters that may be about a user; return how many there were.

        A log loses messages only from its beginning: those that stay are written again behind the
        end, then everything before is dropped. Interrupted in between, some dead letters are in the
        log twice, which counts once. An erasure that waits for a retry stays: it names nothing but
        the user.
        """
        return sum(
            self._remove(
                topic, lambda letter: letter.names_user(user_id) and not _awaits_erasure(letter)
            )
            for topic in TOPICS
        )

    def _remove(self, topic: str, condition: Callable[[DeadLetter], bool]) -> int:
        partition = TopicPartition(dead_letter_topic(topic), 0)
        begin, end = self.log.range(partition)
        messages = list(self.log.read(partition, begin, end))
        removed = {letter.id for letter in fold(messages).resolved() if condition(letter)}
        if not removed:
            return 0
        remaining = [
            Outgoing(partition.topic, message.key, message.value, message.headers)
            for message in messages
            if subject_id(message) not in removed
        ]
        for at in range(0, len(remaining), _REWRITTEN_AT_ONCE):
            self.producer.publish(remaining[at : at + _REWRITTEN_AT_ONCE])
        self.log.drop(partition, end)
        return len(removed)

    def _ledger(self, topic: str) -> DeadLetterLedger:
        partition = TopicPartition(dead_letter_topic(topic), 0)
        try:
            begin, end = self.log.range(partition)
        except NotFound:
            return DeadLetterLedger()  # no consumer has started here yet
        return fold(self.log.read(partition, begin, end))


def open_dead_letters(settings: Settings) -> DeadLetterQueue:
    """Return the dead-letter queue of the configured bus."""
    return DeadLetterQueue(open_log(settings), open_bus(settings).producer())


def _awaits_erasure(dead_letter: DeadLetter) -> bool:
    if dead_letter.state != "open":
        return False
    with contextlib.suppress(UnreadableEvent):
        return isinstance(dead_letter.event(), UserErased)
    return False
