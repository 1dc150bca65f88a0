"""Ids of the topics that the history was read from, in `topics.json` of its folder."""

from pathlib import Path

import orjson

from marquee.files import locked, replace_file

NAME = "topics.json"


class TopicIds:
    """Stored ids by topic: a topic of another id has other events, even under the same name."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def get(self, topic: str) -> str | None:
        """Return the id of a topic, or None before its first event was read."""
        return self._read().get(topic)

    def put(self, topic: str, topic_id: str) -> None:
        """Store the id of a topic; concurrent writers keep each other's topics."""
        with locked(self._path.with_name(f".{NAME}.lock")):
            replace_file(self._path, orjson.dumps(self._read() | {topic: topic_id}))

    def _read(self) -> dict[str, str]:
        try:
            ids: dict[str, str] = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        return ids
