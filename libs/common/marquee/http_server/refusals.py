"""Answers that the server gives by itself, before or instead of the app: problem documents."""

import json
from dataclasses import dataclass
from http import HTTPStatus

from marquee.limits import (
    MAX_ADDRESS_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    READ_S,
)


@dataclass(frozen=True)
class Refusal:
    """A problem document (RFC 9457) that ends a connection."""

    status: int
    code: str
    title: str
    detail: str
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, root_path: str = "") -> bytes:
        """Return the whole answer, as it goes over the wire; links begin with a prefix."""
        document = {
            "type": f"{root_path}/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        body = json.dumps(document).encode()
        headers = (
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            *self.headers,
            ("connection", "close"),
        )
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join((*lines, "", "")).encode() + body


UNREADABLE = Refusal(
    400,
    "unreadable_request",
    "The request is not HTTP",
    "The request line or a header cannot be read: percent-encode blanks and letters other than"
    " ASCII in the address (UTF-8).",
)
TOO_SLOW = Refusal(
    408,
    "too_slow",
    "Too slow",
    f"The request did not arrive as a whole within {READ_S:g} s; send it again.",
)
ADDRESS_TOO_LONG = Refusal(
    414,
    "address_too_long",
    "The address is too long",
    f"The address with its query has more than {MAX_ADDRESS_BYTES:,} bytes; send lists in the body"
    " of a POST.",
)
HEADERS_TOO_LARGE = Refusal(
    431,
    "headers_too_large",
    "The headers are too large",
    f"There are more than {MAX_HEADERS} headers, or they have more than {MAX_HEADER_BYTES:,} bytes"
    " in all.",
)
TOO_MANY_CONNECTIONS = Refusal(
    503,
    "overloaded",
    "Too busy",
    "As many connections as the server takes on have requests under way; try again in a moment.",
    (("retry-after", "1"),),
)
