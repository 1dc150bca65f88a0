"""Which topics the history was read from: their ids, in `topics.json` of its folder."""

from pathlib import Path

import orjson

from marquee.files import locked, replace_file

NAME = "topics.json"


class TopicIds:
    """Ids by topic. One that is kept stays: a topic of another id has other events."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def of(self, topic: str) -> str | None:
        """Return the id of a topic; None before the first event was read."""
        return self._read().get(topic)

    def keep(self, topic: str, name: str) -> None:
        """Keep the id of a topic; several writers at the same time keep all their topics."""
        with locked(self._path.with_name(f".{NAME}.lock")):
            replace_file(self._path, orjson.dumps(self._read() | {topic: name}))

    def _read(self) -> dict[str, str]:
        try:
            held: dict[str, str] = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        return held
