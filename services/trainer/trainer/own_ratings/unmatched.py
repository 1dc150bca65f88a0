"""Films of exports that the catalogue does not have yet: kept until they arrive, by person.

A file a person, `STATE/unmatched/<digest of the id>.jsonl`, a film a line; it goes with the person.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from marquee.domain.ids import as_given, kept_id
from marquee.events.erasure import digest_of_user
from marquee.files import locked, replace_file
from trainer.datasets.links import imdb_id
from trainer.own_ratings.records import ExportedFilm, FilmRecord

FOLDER = "unmatched"


class UnmatchedFilms:
    """The kept films of all persons, in the folder of the state.

    What was kept before a person's last erasure counts no more: with the films goes the offset of
    the erasure that was the last one when they were kept.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def users(self) -> list[int]:
        """Return the persons of whom films are kept."""
        lines = (_first_line(path) for path in sorted(self._folder.glob("*.jsonl")))
        return [kept_id(line["user_id"]) for line in lines if line]

    def of(self, user_id: int, erased_at: int | None = None) -> list[FilmRecord]:
        """Return the kept films of a person.

        Args:
            user_id: The person.
            erased_at: Offset of the person's last erasure, None if there was none.
        """
        path = self._path(user_id)
        if not path.exists():
            return []
        items = (orjson.loads(line) for line in path.read_bytes().splitlines())
        return [_parsed(item) for item in items if not _is_over(item["erased_at"], erased_at)]

    def change(
        self,
        user_id: int,
        erased_at: int | None,
        keep: Iterable[FilmRecord],
        drop: Iterable[FilmRecord],
    ) -> int:
        """Keep films of a person and drop others, which were found.

        Args:
            user_id: The person.
            erased_at: Offset of the person's last erasure, None if there was none.
            keep: Films to keep from now on.
            drop: Films that are not kept any more.

        Returns:
            How many are kept.
        """
        with self._locked():
            kept = (*self.of(user_id, erased_at), *keep)
            records = {record.name: record for record in kept}
            for record in drop:
                records.pop(record.name, None)
            if records:
                lines = (_line(user_id, erased_at, record) for record in records.values())
                replace_file(self._path(user_id), b"".join(lines))
            else:
                self._path(user_id).unlink(missing_ok=True)
        return len(records)

    def forget(self, user_id: int, erased_at: int) -> None:
        """Delete what was kept of a person before the erasure at an offset of the log."""
        path = self._path(user_id)
        if not path.exists():
            return
        with self._locked():
            line = _first_line(path)
            if not line or _is_over(line["erased_at"], erased_at):
                path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self._folder / ".lock"):
            yield

    def _path(self, user_id: int) -> Path:
        return self._folder / f"{digest_of_user(user_id).hex()}.jsonl"


def _first_line(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            return dict(orjson.loads(file.readline()))
    except (FileNotFoundError, ValueError):  # found meanwhile; or empty
        return None


def _is_over(kept_after: int | None, erased_at: int | None) -> bool:
    """Return whether an erasure came after the one that films were kept after."""
    return erased_at is not None and (kept_after is None or kept_after < erased_at)


def _line(user_id: int, erased_at: int | None, record: FilmRecord) -> bytes:
    values = {"user_id": as_given(user_id), "erased_at": erased_at}
    return orjson.dumps(values | asdict(record)) + b"\n"


def _parsed(item: Mapping[str, Any]) -> FilmRecord:
    time = datetime.fromisoformat(item["time"]) if item["time"] else None
    # Films that were kept first have the number alone.
    film = item["film"] | {"imdb": imdb_id(item["film"]["imdb"])}
    return FilmRecord(item["kind"], ExportedFilm(**film), item["half_stars"], time)
