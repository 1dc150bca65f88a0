"""The journal: every write and read with its times and outcome; one JSON object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["kept", "unknown", "refused", "wrong"]
"""Of a write. unknown: 503 or no answer; refused: 4xx; wrong: any other answer."""


class Journal:
    """Appends entries to a file; each is written out whole."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def write(self, **entry: Any) -> None:
        """Note one write: what it said, when it began and ended, by which way, what came back.

        `event`: type and data; `id`: of the event, where it is known; `places`: where the log
        has put it, `topic:partition` → offset, where the answer says so.
        """
        self._note("write", entry)

    def read(self, **entry: Any) -> None:
        """Note one read: when, how many tries it took, whether it succeeded, the movies shown."""
        self._note("read", entry)

    def _note(self, kind: str, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps({"kind": kind} | entry) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def entries(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of a kind, in the order in which they ended."""
    with path.open() as file:
        for line in file:
            entry = json.loads(line)
            if entry["kind"] == kind:
                yield entry
