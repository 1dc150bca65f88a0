"""Calls of the API: an operation, and what it is called with."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, Protocol, Self, TypeVar, runtime_checkable
from urllib.parse import quote

from pydantic import BaseModel

from marquee_client.options import LAST_WRITE, LastWrite, UserId
from marquee_client.write_tokens import WriteTokens

Answer = TypeVar("Answer", bound=BaseModel)


@runtime_checkable
class Page(Protocol):
    """An answer that another may follow."""

    @property
    def next_cursor(self) -> str | None:
        """What the next page is asked for by, None on the last one."""


@dataclass(frozen=True)
class Operation(Generic[Answer]):
    """A call of the API, as its OpenAPI document describes it.

    Attributes:
        name: Its `operationId`.
        method: Of HTTP.
        path: With the names of its parts in braces.
        answer: Model of a successful answer.
        takes_key: Whether it takes an Idempotency-Key.
        repeatable: Whether it may be sent more than once: it changes nothing, or takes a key.
    """

    name: str
    method: str
    path: str
    answer: type[Answer]
    takes_key: bool
    repeatable: bool


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """An operation with the values of one call.

    Attributes:
        operation: What is called.
        path: Values of the parts of its path.
        query: Parameters by the names of the API.
        body: The JSON body, None without one.
        reader: The viewer whose last write the answer is to follow, if there is one.
        writers: The viewers whose facts it changes.
        key: Idempotency-Key of the caller's choice.
    """

    operation: Operation[Answer]
    path: Mapping[str, UserId] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    reader: UserId | None = None
    writers: Sequence[UserId] = ()
    key: str | None = None

    @property
    def address(self) -> str:
        """The path, whatever letters the ids have."""
        parts = {name: _part(name, str(value)) for name, value in self.path.items()}
        return self.operation.path.format_map(parts)

    def asking(self, **query: Any) -> Self:
        """Return the call with further parameters."""
        return replace(self, query={**self.query, **query})

    def at(self, cursor: str) -> Self:
        """Return the call for the page of a cursor."""
        if self.body is not None:
            return replace(self, body={**self.body, "cursor": cursor})
        return self.asking(cursor=cursor)

    @property
    def asked(self) -> Hashable:
        """What is asked, whichever write the answer is to follow."""
        query = {**self.query, "after": None, "wait_ms": None}
        return self.operation.name, self.address, repr(sorted(_given(query).items()))

    def parameters(self, tokens: WriteTokens) -> dict[str, Any]:
        """Return the parameters to send; `after` is that of the viewer's last write by default."""
        after = self.query.get("after", LAST_WRITE)
        if isinstance(after, LastWrite):
            after = None if self.reader is None else tokens.last(self.reader)
        return _given({**self.query, "after": after})


_OF_QUERIES = {
    "genres": "genre",
    "genres_not": "genre_not",
    "languages": "language",
    "certificates": "certificate",
}


def as_query(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by the names that parameters have: those of repeated ones are singular."""
    return {_OF_QUERIES.get(name, name): _plain(value) for name, value in options.items()}


def as_body(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as the fields of a JSON body; what is None is left out."""
    listed = {name: [value] for name, value in options.items() if _is_word(name, value)}
    return _given({name: _plain(value) for name, value in {**options, **listed}.items()})


def _part(name: str, value: str) -> str:
    """Return an id as one part of a path."""
    if not value:
        raise ValueError(f"{name}: an id must not be empty")
    # Dots alone would lead to another path.
    return quote(value, safe="") if value.strip(".") else "%2E" * len(value)


def _is_word(name: str, value: object) -> bool:
    """Return whether a single text stands where there may be several."""
    return name in _OF_QUERIES and isinstance(value, str)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return value


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
