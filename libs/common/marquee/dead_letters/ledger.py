"""Dead letters of a topic and their resolutions, folded from the log that contains both.

A dead letter and the decision about it lie in one log, `<topic>.dead`: a decision is a message with
the header `marquee-settles`, which names the dead letter. So both outlive Redis, and whoever reads
the log from its beginning knows what is open. A dead letter that was written twice counts once.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marquee.bus.api import Message, TopicPartition
from marquee.dead_letters.publish import dead_letter_id
from marquee.domain.ids import id_text
from marquee.errors import UnreadableEvent
from marquee.events import RATINGS, AnyEvent, decode_logged

RESOLVES_HEADER = "marquee-settles"
"""The header of a decision: the id of the dead letter that it is about."""
_POSITION = re.compile(r"([a-z]+):(\d{1,9}):(\d{1,18})", re.ASCII)
State = Literal["open", "retried", "discarded"]
STATES: tuple[State, ...] = ("open", "retried", "discarded")


@dataclass(frozen=True)
class DeadLetter:
    """A message that was put aside, unchanged, with its position, the reason, and its state."""

    id: str
    partition: TopicPartition
    offset: int
    message: Message
    reason: str
    groups: tuple[str, ...]
    """Consumer groups that could not handle it; an invalid message is put aside by each of them."""
    time: datetime | None
    length: int
    """Bytes of the original message; more than are kept for one that was too long."""
    state: State = "open"
    actor: str | None = None
    resolved_at: datetime | None = None
    note: str = ""

    @property
    def whole(self) -> bool:
        """Whether all bytes of the message are kept."""
        return self.length == len(self.message.value)

    def event(self) -> AnyEvent:
        """Decode the event of the message.

        Raises:
            UnreadableEvent: The message is not a valid event, or not kept whole.
        """
        if not self.whole:
            raise UnreadableEvent(f"only {len(self.message.value)} of {self.length} bytes are kept")
        return decode_logged(self.message.value, f"{self.partition}:{self.offset}", self.time)

    def names_user(self, user_id: int) -> bool:
        """Return whether the message may be about a user, readable or not."""
        text = id_text(user_id).encode()
        if self.partition.topic == RATINGS and self.message.key == text:
            return True
        goes_on = rb"[0-9]" if user_id > 0 else rb"[A-Za-z0-9._:@-]"  # 42.0 may mean 42
        named = rb'"user_id"\s*:\s*"?%b(?!%b)' % (re.escape(text), goes_on)
        return re.search(named, self.message.value) is not None


class Resolution(BaseModel):
    """The decision about a dead letter."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    state: State
    actor: str
    time: AwareDatetime
    note: str = ""


@dataclass
class DeadLetterLedger:
    """The dead letters of one topic by id, in the order of their publication.

    Messages of the log that are neither a dead letter nor a decision were written by others and
    are ignored.
    """

    dead_letters: dict[str, DeadLetter] = field(default_factory=dict)
    resolutions: dict[str, Resolution] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Fold in the next message of the log of dead letters."""
        if RESOLVES_HEADER in message.headers:
            with contextlib.suppress(ValidationError):
                resolution = Resolution.model_validate_json(message.value)
                self.resolutions.setdefault(resolution.id, resolution)
        elif (dead_letter := parse_dead_letter(message)) is not None:
            known = self.dead_letters.get(dead_letter.id)
            if known is not None:
                groups = tuple(sorted({*known.groups, *dead_letter.groups}))
                dead_letter = replace(known, groups=groups)
            self.dead_letters[dead_letter.id] = dead_letter

    def resolved(self) -> Iterator[DeadLetter]:
        """Yield each dead letter in the state that the decision about it gives."""
        for dead_letter in self.dead_letters.values():
            resolution = self.resolutions.get(dead_letter.id)
            yield dead_letter if resolution is None else _resolve(dead_letter, resolution)


def fold(messages: Iterable[Message]) -> DeadLetterLedger:
    """Return the ledger of a log of dead letters, read from its beginning."""
    ledger = DeadLetterLedger()
    for message in messages:
        ledger.add(message)
    return ledger


def subject_id(message: Message) -> str | None:
    """Return the id of the dead letter that a message is, or decides about; None if neither."""
    if RESOLVES_HEADER in message.headers:
        return message.headers[RESOLVES_HEADER]
    dead_letter = parse_dead_letter(message)
    return None if dead_letter is None else dead_letter.id


def parse_dead_letter(message: Message) -> DeadLetter | None:
    """Return the dead letter that a message is, None for a message of another kind."""
    headers = message.headers
    position = _POSITION.fullmatch(headers.get("marquee-position", ""))
    if position is None:
        return None
    partition, offset = TopicPartition(position[1], int(position[2])), int(position[3])
    length = headers.get("marquee-length", "")
    return DeadLetter(
        dead_letter_id(partition, offset),
        partition,
        offset,
        message,
        headers.get("marquee-reason", ""),
        (headers.get("marquee-group", ""),),
        _parse_time(headers.get("marquee-time", "")),
        int(length) if length.isdigit() else len(message.value),
    )


def _resolve(dead_letter: DeadLetter, resolution: Resolution) -> DeadLetter:
    return replace(
        dead_letter,
        state=resolution.state,
        actor=resolution.actor,
        resolved_at=resolution.time,
        note=resolution.note,
    )


def _parse_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
