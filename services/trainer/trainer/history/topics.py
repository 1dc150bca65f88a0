"""Which topics the history was read from: their ids, in `topics.json` of its folder."""

import fcntl
import secrets
from pathlib import Path

import orjson

NAME = "topics.json"


class KeptTopics:
    """Ids by topic. One that is kept stays: a topic of another id has other events."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def of(self, topic: str) -> str | None:
        """Return the id of a topic; None before the first event was read."""
        return self._read().get(topic)

    def keep(self, topic: str, name: str) -> None:
        """Keep the id of a topic. Twins may do so at the same time, also in containers where each
        is process 1: neither writes into the other's file, and neither's topic is forgotten."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_name(f".{NAME}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            part = self._path.with_name(f".{NAME}.{secrets.token_hex(4)}.tmp")
            part.write_bytes(orjson.dumps(self._read() | {topic: name}))
            part.replace(self._path)

    def _read(self) -> dict[str, str]:
        try:
            held: dict[str, str] = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        return held
