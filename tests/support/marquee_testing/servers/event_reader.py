"""A client of Server-Sent Events over a plain connection, light enough for thousands of them."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marquee_testing.waiting import DEADLINE_S, PATIENCE


@dataclass(frozen=True)
class Message:
    """A message of a stream, with the moment of its arrival by the monotonic clock."""

    event: str
    data: Any
    event_id: str
    at: float


@dataclass
class EventReader:
    """A stream that is read.

    Attributes:
        status: Status of the answer.
        headers: Its headers, names in lower case.
        retry: The last `retry` of the stream, in ms.
        comments: Comments that came.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    retry: int | None = None
    comments: int = 0

    @classmethod
    async def open(
        cls, port: int, path: str, headers: Mapping[str, str] | None = None
    ) -> "EventReader":
        """Call an address of this machine, and read the head of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = {"Host": "x", "Accept": "text/event-stream", **(headers or {})}
        # HTTP/1.0: without chunks the body is the stream itself.
        head = f"GET {path} HTTP/1.0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items())
        writer.write(f"{head}\r\n".encode())
        made = cls(reader, writer)
        async with asyncio.timeout(DEADLINE_S * PATIENCE):
            made.status = int((await reader.readline()).split()[1])
            while line := (await reader.readline()).strip().decode():
                name, _, value = line.partition(":")
                made.headers[name.lower()] = value.strip()
        return made

    async def next(self, seconds: float = DEADLINE_S) -> Message | None:
        """Return the next message, None at the end of the stream.

        Raises:
            TimeoutError: None came in that time, times PATIENCE.
        """
        async with asyncio.timeout(seconds * PATIENCE):
            fields: dict[str, str] = {}
            while line := await self.reader.readline():
                text = line.decode().rstrip("\n")
                name, _, value = text.partition(":")
                if text and not name:
                    self.comments += 1
                elif name == "retry":
                    self.retry = int(value)
                elif text:
                    fields[name] = value.removeprefix(" ")
                elif "data" in fields:
                    data = json.loads(fields["data"])
                    event_id = fields.get("id", "")
                    return Message(fields["event"], data, event_id, time.monotonic())
            return None

    async def body(self) -> bytes:
        """Return all that is left, to the end."""
        async with asyncio.timeout(DEADLINE_S * PATIENCE):
            return await self.reader.read()

    def close(self) -> None:
        """Leave."""
        self.writer.close()
