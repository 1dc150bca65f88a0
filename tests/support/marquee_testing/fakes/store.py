"""In-memory store with the semantics of the one on Redis: fenced writes, all or nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from marquee.errors import FenceLost
from marquee.store.api import Command, ReadRequest, ReadResult
from marquee.store.keys import PartitionKeys

Values = dict[str, Any]


class MemoryStore:
    """Strings are bytes, hashes and sorted sets dicts, streams lists of entries."""

    def __init__(self) -> None:
        self.values: Values = {}

    def position(self, keys: PartitionKeys) -> int | None:
        value = self.values.get(keys.position)
        return None if value is None else int(value)

    def get(self, key: str) -> bytes | None:
        """Return a string's value."""
        value: bytes | None = self.values.get(key)
        return value

    def read(self, reads: ReadRequest) -> ReadResult:
        fields, scores = reads.fields or {}, reads.scores or {}
        return ReadResult(
            {key: self.values.get(key) for key in reads.strings},
            {(k, n): self._hash(k).get(_bytes(n)) for k, names in fields.items() for n in names},
            {(k, m): self._hash(k).get(_bytes(m)) for k, ms in scores.items() for m in ms},
        )

    def scan(self, key: str) -> dict[bytes, bytes]:
        return dict(self._hash(key))

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        found = self._hash(keys.changed).items()
        return [int(member) for member, score in sorted(found, key=_rank) if score >= offset]

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        held = self.position(keys)
        if held != expected:
            raise FenceLost(f"{keys.partition}: position is {held}, expected {expected}")
        for name, key, *arguments in commands:
            _COMMANDS[str(name)](self.values, str(key), arguments)
        if position is not None:
            self.values[keys.position] = _bytes(position)

    def _hash(self, key: str) -> dict[bytes, Any]:
        found: dict[bytes, Any] = self.values.get(key, {})
        return found


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _rank(member: tuple[bytes, float]) -> tuple[float, bytes]:
    return member[1], member[0]


def _set(values: Values, key: str, arguments: list[Any]) -> None:
    values[key] = _bytes(arguments[0])


def _hset(values: Values, key: str, arguments: list[Any]) -> None:
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    values.setdefault(key, {}).update({_bytes(name): _bytes(value) for name, value in pairs})


def _zadd(values: Values, key: str, arguments: list[Any]) -> None:
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    values.setdefault(key, {}).update({_bytes(member): float(score) for score, member in pairs})


def _remove(values: Values, key: str, arguments: list[Any]) -> None:
    held = values.get(key, {})
    for name in arguments:
        held.pop(_bytes(name), None)
    if not held:
        values.pop(key, None)


def _remove_by_rank(values: Values, key: str, arguments: list[Any]) -> None:
    start, stop = map(int, arguments)
    members = [member for member, _ in sorted(values.get(key, {}).items(), key=_rank)]
    end = stop + len(members) if stop < 0 else stop
    _remove(values, key, members[start : end + 1] if end >= start else [])


def _xadd(values: Values, key: str, arguments: list[Any]) -> None:
    fields = arguments[arguments.index("*") + 1 :]
    pairs = zip(fields[::2], fields[1::2], strict=True)
    values.setdefault(key, []).append({_bytes(name): _bytes(value) for name, value in pairs})


def _delete(values: Values, key: str, _: list[Any]) -> None:
    values.pop(key, None)


def _keep(_values: Values, _key: str, _arguments: list[Any]) -> None:
    """Times to live do not pass here."""


_COMMANDS: dict[str, Callable[[Values, str, list[Any]], None]] = {
    "SET": _set, "HSET": _hset, "HDEL": _remove, "ZADD": _zadd, "ZREM": _remove,
    "ZREMRANGEBYRANK": _remove_by_rank, "XADD": _xadd, "DEL": _delete, "UNLINK": _delete,
    "EXPIRE": _keep, "PERSIST": _keep,
}  # fmt: skip
