"""The table of causes and calls: stored cells that tests compare, and the page made of them."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
CELLS = ROOT / "tests" / "integration" / "causes" / "cells.json"
PAGE = ROOT / "docs" / "reference" / "causes.md"
WRITE = "MARQUEE_TEST_WRITE_CAUSES"
"""Set to 1, the tests store what they see instead of comparing it: `make causes`."""

Cells = Mapping[str, str]
_HEAD = """\
# What each call answers when something is broken

Made by `make causes`: tests bring real servers into each state and send every operation of the
OpenAPI document, writes also with an `Idempotency-Key`. They compare each cell at every run.
Whatever the state, each call is answered within two seconds, and no answer is a 500: a read falls
back and says `degraded`, a write is accepted (202) or refused with 503 and `Retry-After`.

Whether an accepted write is stored already (200) or will be (202) depends on the moment.
`d` stands for `degraded: true` in the answer. A refusal names the code of its problem document.
Where a call with a key differs, it has a row of its own. Causes that look alike to callers share a
column. But for the last part no model service
runs: what those services answer is degraded in each column, and so is the first, where nothing is
wrong.
"""
_PARTS = {
    "redis": ("Redis, as store and as bus", "Store and bus are on the server of the state."),
    "redis, bus on kafka": (
        "Redis as store, the bus on Kafka",
        "Writes are events: they are accepted as long as the bus takes them, and take effect when"
        " the store is back.",
    ),
    "kafka": ("Kafka", "The store is well, the bus is not: reads are whole, writes are refused."),
    "services": (
        "Model services and trainer",
        "All of them at once are in the state. Store and bus are well, so events are accepted.",
    ),
}
UNKNOWN = "not known yet"


def is_writing() -> bool:
    """Return whether the tests store what they see."""
    return os.environ.get(WRITE) == "1"


def load() -> dict[str, Any]:
    """Return the stored cells: part → cause → `about`, `waits_for` and `calls`."""
    return json.loads(CELLS.read_text()) if CELLS.exists() else {}


def column(about: str, waits_for: str | None, calls: Cells) -> dict[str, Any]:
    """Return the column of a cause: what it is, what consumers say, and a cell for each call."""
    return {"about": about, "waits_for": waits_for, "calls": dict(calls)}


def store(part: str, cause: str, seen: Mapping[str, Any]) -> None:
    """Store the column of a cause; several processes may do so at once."""
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cells = load()
        cells.setdefault(part, {})[cause] = seen
        CELLS.write_text(json.dumps(cells, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def compare(part: str, cause: str, seen: Mapping[str, Any]) -> None:
    """Compare the column of a cause with the stored one, or store it.

    Whether a read comes from memory, is degraded or refused, and which of two servers refuses a
    write first, depends on the moment and on how busy the machine is: all of these are right, and
    any other answer is a fault before the comparison (`outcomes`). So a cell may differ; a call
    may not be missing, and what consumers say may not differ.

    Raises:
        AssertionError: The table has other calls or words.
    """
    if is_writing():
        store(part, cause, seen)
        return
    stored = load().get(part, {}).get(cause, {})
    differences = [
        f"{name}: {old.get(name)!r} in the table, {new.get(name)!r} now"
        for old, new in ((stored, seen), (stored.get("calls", {}), seen["calls"]))
        for name in sorted(old.keys() | new.keys())
        if name != "calls" and _kind(name, old.get(name)) != _kind(name, new.get(name))
    ]
    message = f"{part}, {cause}: the table is not current (make causes)"
    assert not differences, "\n".join([message, *differences])


def _kind(name: str, cell: str | None) -> str | None:
    """Return what is compared of a value: of an answer that depends on the moment, that it is."""
    is_call = name.partition(" ")[0] in _METHODS
    if not is_call:
        return cell
    if cell is None:
        # A call with a key has a row of its own only where its answer differs.
        return _ANSWERED if name.endswith(_WITH_KEY) else None
    return _ANSWERED if cell.startswith(_OF_THE_MOMENT) else cell


_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
_WITH_KEY = ", with a key"
_OF_THE_MOMENT = ("200", "202", "accepted", "503", "504")
_ANSWERED = "answered"


def said(part: str, cause: str) -> str | None:
    """Return what consumers say by the stored table; None: nothing. Unknown while it is made."""
    if is_writing():
        return UNKNOWN
    waits_for: str | None = load().get(part, {}).get(cause, {}).get("waits_for")
    return waits_for


def page() -> str:
    """Return the page of the table."""
    cells = load()
    parts = [_HEAD]
    for name, (title, text) in _PARTS.items():
        parts.append(_part(title, text, cells.get(name, {})))
    return "\n".join(parts)


def _part(title: str, text: str, causes: Mapping[str, Any]) -> str:
    names = sorted({name for cause in causes.values() for name in cause["calls"]}, key=_order)
    groups: dict[tuple[str, ...], str] = {}
    lines = [f"## {title}", "", text, ""]
    lines += ["| cause | what it is | what consumers say meanwhile | column |"]
    lines += ["| --- | --- | --- | --- |"]
    for cause, seen in causes.items():
        cells = tuple(_cell(seen["calls"], name) for name in names)
        group = groups.setdefault(cells, chr(ord("A") + len(groups)))
        waits_for = seen["waits_for"] or "nothing: they work on"
        lines.append(f"| {cause} | {seen['about']} | {waits_for} | {group} |")
    lines += ["", f"| call | {' | '.join(groups.values())} |", f"| --- |{' --- |' * len(groups)}"]
    for row, name in enumerate(names):
        plain = name.partition(",")[0]
        shown = " | ".join(cells[row] for cells in groups)
        lines.append(f"| `{plain}`{name[len(plain) :]} | {shown} |")
    return "\n".join([*lines, ""])


def _cell(calls: Cells, name: str) -> str:
    """Return the cell of a call; one with a key has that of the call without, if it has none."""
    return calls.get(name, calls.get(name.partition(",")[0], "")).replace(" degraded", " d")


def _order(name: str) -> tuple[bool, str, str]:
    method, _, path = name.partition(" ")
    return (method != "GET", path, method)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
