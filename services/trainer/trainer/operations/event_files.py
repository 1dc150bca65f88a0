"""Files of events: JSON lines or one JSON array, validated as every reader of the bus does."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO

from marquee.errors import UnreadableEvent
from marquee.events import EVENT_TYPES, MODELS, AnyEvent, decode

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(r"[ \t\r\n]*")
_PUBLIC_TYPES = [name for name, kind in EVENT_TYPES.items() if kind.topic != MODELS]
_DECODER = json.JSONDecoder()
_TAG = re.compile(r"Input tag '(.*)' found using", re.DOTALL)
_FORMS = "a file has one event a line, or is one JSON array of events"


@dataclass(frozen=True)
class EventText:
    """An event as a file has it, and the line on which it begins, from 1 on."""

    line: int
    text: bytes


@dataclass(frozen=True)
class LineFault:
    """The reason why a line is refused.

    Attributes:
        file: name of the file.
        line: its line, from 1 on.
        field: path of the wrong field, such as `data.rating`; `event` for the whole.
        text: what is wrong with it.
        remedy: what to send.
    """

    file: str
    line: int
    field: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.field}: {self.text}; {self.remedy}"

    def as_json(self) -> dict[str, str | int]:
        """Return the fault as a JSON object."""
        return asdict(self)


def read_events(file: IO[bytes], name: str) -> Iterator[AnyEvent | LineFault]:
    """Yield the events of a file in order, or the fault of each that is not valid.

    Args:
        file: The file, at its beginning. An array is read as a whole, lines one by one.
        name: Name of the file, for faults.
    """
    for item in _texts(file, name):
        yield item if isinstance(item, LineFault) else _validated(item, name)


def _texts(file: IO[bytes], name: str) -> Iterator[EventText | LineFault]:
    is_first = True
    for number, line in enumerate(file, 1):
        raw = line.removeprefix(_BOM) if number == 1 else line
        text = raw.strip()
        if text.startswith(b"[") and is_first:
            yield from _array(raw + file.read(), number, name)
        elif text:
            yield EventText(number, text)
        is_first &= not text


def _array(content: bytes, line: int, name: str) -> Iterator[EventText | LineFault]:
    """Yield the texts of an array's items; what follows a mistake of its JSON is not read.

    Args:
        content: The file from the line on which the array begins.
        line: That line.
        name: Name of the file.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line += content.count(b"\n", 0, error.start)
        yield LineFault(name, line, "event", "is not UTF-8", _FORMS)
        return
    at, counted = _after_blanks(text, text.index("[") + 1), 0
    is_open = text[at : at + 1] != "]"
    while is_open:
        line, counted = line + text.count("\n", counted, at), at
        try:
            _, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be read"
            yield LineFault(name, line, "event", f"Invalid JSON: {reason}", _FORMS)
            return
        yield EventText(line, text[at:end].encode())
        at = _after_blanks(text, end)
        is_open = text[at : at + 1] == ","
        if is_open:
            at = _after_blanks(text, at + 1)
    line += text.count("\n", counted, at)
    if text[at : at + 1] != "]":
        yield LineFault(name, line, "event", "neither a comma nor ] follows it", _FORMS)
    elif text[at + 1 :].strip():
        yield LineFault(name, line, "event", "something follows the array", _FORMS)


def _after_blanks(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()


def _validated(item: EventText, name: str) -> AnyEvent | LineFault:
    try:
        event = decode(item.text)
    except UnreadableEvent as error:
        return LineFault(name, item.line, *_explained(str(error)))
    if event.topic == MODELS:
        text, remedy = "only the trainer publishes models", "run marquee train, or models rollback"
        return LineFault(name, item.line, "type", text, remedy)
    return event


def _explained(reason: str) -> tuple[str, str, str]:
    """Return field, fault and remedy for the reason that decoding gives."""
    if "Unable to extract tag" in reason:
        return "type", "is missing", f"one of {', '.join(_PUBLIC_TYPES)}"
    if tag := _TAG.search(reason):
        near = difflib.get_close_matches(tag[1][:100], _PUBLIC_TYPES, 1, 0.0)[0]
        return "type", f"{tag[1][:100]!r} is no type of event", f"the nearest is {near}"
    if "Invalid JSON" in reason or reason.startswith("message"):
        fault = reason.removeprefix("message: ").replace(" at line 1 column", " at column")
        return "event", fault, _FORMS
    path, _, fault = reason.partition(": ")
    kind = next((name for name in EVENT_TYPES if path.startswith(f"{name}.")), "")
    field = path.removeprefix(f"{kind}.")
    fault = fault.removeprefix("Value error, ")
    return field, fault[:1].lower() + fault[1:], f"docs/events/{kind}.schema.json describes it"
