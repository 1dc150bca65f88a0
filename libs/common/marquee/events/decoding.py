"""Events from messages: of producers, of the log, and as this system has written them."""

from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from marquee.errors import UnreadableEvent
from marquee.events.types import AnyEvent
from marquee.limits import MAX_BODY_BYTES

MAX_BYTES = MAX_BODY_BYTES
"""A longer message is invalid."""
_REGISTRY, _PREFIX = b"\x00", 5
"""What a serializer of a schema registry puts before a message: a zero byte, a number of 4."""

UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)
"""The time of an event of which neither the producer nor the log tells one."""
_NAMED = frozenset(("id", "time"))
"""What an event in a log gets by its place there, if its producer left it out."""

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def decode(message: bytes) -> AnyEvent:
    """Decode and validate the event of a message.

    Raises:
        UnreadableEvent: The message is too long or not a valid event; the text tells the fault.
    """
    if len(message) > MAX_BYTES:
        raise UnreadableEvent(f"message of {len(message)} bytes, at most {MAX_BYTES} are read")
    try:
        return _ADAPTER.validate_json(message)
    except ValidationError as error:
        raise UnreadableEvent(_fault(message, error)) from None


def decode_logged(message: bytes, place: str, recorded: datetime | None) -> AnyEvent:
    """Decode the event of a message in a log: who reads it, and when, changes nothing of it.

    Args:
        message: The message, whose producer may have left out `id` and `time`.
        place: The message's position in the log, which names an event without an id.
        recorded: When the log took the message, which is the time of an event without one; None
            where the log does not say: such an event counts as one of `UNKNOWN_TIME`.

    Raises:
        UnreadableEvent: The message is too long or not a valid event; the text tells the fault.
    """
    event = decode(message)
    told = event.model_fields_set
    if told >= _NAMED:
        return event
    defaults = {"id": place, "time": recorded or UNKNOWN_TIME}
    return event.model_copy(update={name: defaults[name] for name in _NAMED - told})


def decode_kept(text: bytes) -> AnyEvent:
    """Decode an event as this system has written it: it was accepted once, and stays.

    Raises:
        UnreadableEvent: It is none.
    """
    try:
        return _ADAPTER.validate_json(text, strict=True)
    except ValidationError as error:
        raise UnreadableEvent(_fault(text, error)) from None


def _fault(message: bytes, error: ValidationError) -> str:
    """Return what is wrong with a message, in words."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "message"
    if first["type"] == "json_invalid" and message[:1] == _REGISTRY and len(message) > _PREFIX:
        number = int.from_bytes(message[1:_PREFIX])
        return (
            f"{where}: begins with the prefix of a schema registry (a zero byte and schema"
            f" {number}): send the JSON alone, without the registry's serializer"
        )
    return f"{where}: {first['msg']}"
