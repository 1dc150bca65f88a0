"""Server-Sent Events (HTML standard, section 9.2), read from parts of any length."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """A message of a stream.

    Attributes:
        event: Its type.
        data: What it carries.
    """

    event: str
    data: str


@dataclass
class EventStream:
    """Messages of one stream, over connections that may break.

    Attributes:
        last_id: Id of the last message that was read whole; a further connection begins after it.
        retry_s: Seconds after which to connect again.
    """

    last_id: str = ""
    retry_s: float = 1.0
    _rest: bytes = b""
    _fields: dict[str, str] = field(default_factory=dict)
    _data: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Forget the part of a message that came before a connection broke."""
        self._rest = b""
        self._clear()

    def read(self, part: bytes) -> Iterator[Message]:
        """Yield the messages that end in a part of the stream."""
        # Only the ends of lines that the standard names: titles may have others of Unicode.
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            message = self._line(line.removesuffix(b"\r").decode(errors="replace"))
            if message is not None:
                yield message

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "retry" and value.isdecimal():
            self.retry_s = int(value) / 1000
        elif name:  # a line without a name is a comment
            self._fields[name] = value
        return None

    def _end(self) -> Message | None:
        self.last_id = self._fields.get("id", self.last_id)
        event, data = self._fields.get("event", "message"), self._data.copy()
        self._clear()
        return Message(event, "\n".join(data)) if data else None

    def _clear(self) -> None:
        self._fields.clear()
        self._data.clear()
