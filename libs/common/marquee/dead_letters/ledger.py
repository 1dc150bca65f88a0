"""The dead letters of all topics: what was put aside, why, and what was decided about each.

A topic's letters and the decisions about them lie in one log, `<topic>.dead`: a decision is a
message with the header `marquee-settles`, which names the letter. So both outlive Redis, and who
reads the log from its beginning knows what is open. A letter that was written twice is one.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marquee.bus.api import Message, Outgoing, Producer, TopicPartition, dead_letter_topic
from marquee.bus.factory import open_bus
from marquee.bus.log import PartitionLog, open_log
from marquee.dead_letters.publish import dead_letter_id
from marquee.errors import InvalidInput, NotFound, UnreadableEvent
from marquee.events import RATINGS, TOPICS, AnyEvent, UserErased, decode, now
from marquee.settings import Settings

RESOLVES_HEADER = "marquee-settles"
_PLACE = re.compile(r"([a-z]+):(\d{1,9}):(\d{1,18})", re.ASCII)
State = Literal["open", "retried", "discarded"]
STATES: tuple[State, ...] = ("open", "retried", "discarded")


@dataclass(frozen=True)
class DeadLetter:
    """A message that was put aside: where it stood, as it came, and what became of it."""

    id: str
    partition: TopicPartition
    offset: int
    message: Message
    reason: str
    groups: tuple[str, ...]
    """Who could not handle it; a message that nobody can read is buried by each group."""
    time: datetime | None
    length: int
    """Bytes of the message; more than are kept for one that was too long."""
    state: State = "open"
    actor: str | None = None
    resolved_at: datetime | None = None
    note: str = ""

    @property
    def whole(self) -> bool:
        return self.length == len(self.message.value)

    def event(self) -> AnyEvent:
        """Return the event that the message holds; UnreadableEvent says why it is none."""
        if not self.whole:
            raise UnreadableEvent(f"only {len(self.message.value)} of {self.length} bytes are kept")
        return decode(self.message.value)

    def names_user(self, user_id: int) -> bool:
        """Return whether the message may speak of a user, readable or not."""
        if self.partition.topic == RATINGS and self.message.key == str(user_id).encode():
            return True
        named = rb'"user_id"\s*:\s*"?%d(?![0-9])' % user_id
        return re.search(named, self.message.value) is not None


class Resolution(BaseModel):
    """What was decided about a letter."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    state: State
    actor: str
    time: AwareDatetime
    note: str = ""


@dataclass
class DeadLetterLedger:
    """The letters of one topic by id, in the order of their burial.

    What stands in the log and is neither a letter nor a decision was written by others: it is
    passed over.
    """

    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)
    resolutions: dict[str, Resolution] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Take in the next message of the dead log."""
        if RESOLVES_HEADER in message.headers:
            with contextlib.suppress(ValidationError):
                resolution = Resolution.model_validate_json(message.value)
                self.resolutions.setdefault(resolution.id, resolution)
        elif (dead_letter := _dead_letter(message)) is not None:
            known = self.dead_letters.get(dead_letter.id)
            if known is not None:
                dead_letter = replace(
                    known, groups=tuple(sorted({*known.groups, *dead_letter.groups}))
                )
            self.dead_letters[dead_letter.id] = dead_letter

    def resolved(self) -> Iterator[DeadLetter]:
        """Yield each letter with what was decided about it."""
        for dead_letter in self.dead_letters.values():
            resolution = self.resolutions.get(dead_letter.id)
            yield dead_letter if resolution is None else _resolved(dead_letter, resolution)


class DeadLetterQueue:
    """Reads letters, and notes what is decided about them."""

    def __init__(self, log: PartitionLog, producer: Producer) -> None:
        self.log, self.producer = log, producer

    def close(self) -> None:
        """Let go of the connections."""
        self.producer.close()
        self.log.close()

    def all(self, topic: str | None = None) -> list[DeadLetter]:
        """Return the letters of one topic, or of all, oldest first in each topic."""
        if topic is not None and topic not in TOPICS:
            raise InvalidInput(f"topic: {topic} is none of {', '.join(TOPICS)}", "topic")
        topics = TOPICS if topic is None else (topic,)
        return [dead_letter for name in topics for dead_letter in self._ledger(name).resolved()]

    def find(self, ids: Iterable[str]) -> list[DeadLetter]:
        """Return the letters of these ids; NotFound names the first that there is not."""
        wanted = list(dict.fromkeys(ids))
        topics = {one.rsplit("-", 2)[0] for one in wanted} & set(TOPICS)
        found = {
            dead_letter.id: dead_letter
            for topic in sorted(topics)
            for dead_letter in self.all(topic)
        }
        for one in wanted:
            if one not in found:
                raise NotFound(f"there is no dead letter {one}; marquee dead list shows them")
        return [found[one] for one in wanted]

    def resolve(self, dead_letter: DeadLetter, state: State, actor: str, note: str = "") -> None:
        """Note for good what was decided about a letter, by whom, and when."""
        resolution = Resolution(id=dead_letter.id, state=state, actor=actor, time=now(), note=note)
        topic, value = (
            dead_letter_topic(dead_letter.partition.topic),
            resolution.model_dump_json().encode(),
        )
        key = dead_letter.message.key
        self.producer.publish([Outgoing(topic, key, value, {RESOLVES_HEADER: dead_letter.id})])

    def discard(self, dead_letter: DeadLetter, actor: str, reason: str) -> None:
        """Give a letter up."""
        if dead_letter.state != "open":
            raise InvalidInput(
                f"{dead_letter.id} is {dead_letter.state} already, by {dead_letter.actor}"
            )
        self.resolve(dead_letter, "discarded", actor, reason)

    def remove_user(self, user_id: int) -> int:
        """Forget all letters that may speak of a user; return how many there were.

        A log loses messages only from its beginning: what stays is written again behind the end,
        then all before that is dropped. Ended in between, some letters are there twice, as one.
        An erasure that waits to be retried stays: it names nothing but the user.
        """
        return sum(
            self._remove(topic, lambda one: one.names_user(user_id) and not _awaits_erasure(one))
            for topic in TOPICS
        )

    def _remove(self, topic: str, wanted: Callable[[DeadLetter], bool]) -> int:
        partition = TopicPartition(dead_letter_topic(topic), 0)
        begin, end = self.log.range(partition)
        messages = list(self.log.read(partition, begin, end))
        gone = {one.id for one in _dead_letters(messages) if wanted(one)}
        if not gone:
            return 0
        kept = [message for message in messages if _subject(message) not in gone]
        for at in range(0, len(kept), 100):
            self.producer.publish(
                [
                    Outgoing(dead_letter_topic(topic), m.key, m.value, m.headers)
                    for m in kept[at : at + 100]
                ]
            )
        self.log.drop(partition, end)
        return len(gone)

    def _ledger(self, topic: str) -> DeadLetterLedger:
        partition, ledger = TopicPartition(dead_letter_topic(topic), 0), DeadLetterLedger()
        try:
            begin, end = self.log.range(partition)
        except NotFound:
            return ledger  # no consumer has started here yet
        for message in self.log.read(partition, begin, end):
            ledger.add(message)
        return ledger


def open_dead_letters(settings: Settings) -> DeadLetterQueue:
    """Return the dead letters of the bus that the settings name."""
    return DeadLetterQueue(open_log(settings), open_bus(settings).producer())


def remedy_for(dead_letter: DeadLetter) -> str:
    """Return what helps against the reason of a letter."""
    reason = dead_letter.reason
    for words, text in _REMEDIES.items():
        if words in reason:
            return text
    return _REMEDY


_REMEDY = (
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


def _dead_letters(messages: Iterable[Message]) -> Iterator[DeadLetter]:
    ledger = DeadLetterLedger()
    for message in messages:
        ledger.add(message)
    return ledger.resolved()


def _awaits_erasure(dead_letter: DeadLetter) -> bool:
    if dead_letter.state != "open":
        return False
    with contextlib.suppress(UnreadableEvent):
        return isinstance(dead_letter.event(), UserErased)
    return False


def _subject(message: Message) -> str | None:
    """Return the id of the letter that a message of the dead log is, or decides about."""
    if RESOLVES_HEADER in message.headers:
        return message.headers[RESOLVES_HEADER]
    dead_letter = _dead_letter(message)
    return None if dead_letter is None else dead_letter.id


def _dead_letter(message: Message) -> DeadLetter | None:
    headers = message.headers
    place = _PLACE.fullmatch(headers.get("marquee-position", ""))
    if place is None:
        return None
    partition, offset = TopicPartition(place[1], int(place[2])), int(place[3])
    own = len(message.value)
    return DeadLetter(
        dead_letter_id(partition, offset),
        partition,
        offset,
        message,
        headers.get("marquee-reason", ""),
        (headers.get("marquee-group", ""),),
        _moment(headers.get("marquee-time", "")),
        int(length) if (length := headers.get("marquee-length", "")).isdigit() else own,
    )


def _resolved(dead_letter: DeadLetter, resolution: Resolution) -> DeadLetter:
    return replace(
        dead_letter,
        state=resolution.state,
        actor=resolution.actor,
        resolved_at=resolution.time,
        note=resolution.note,
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
