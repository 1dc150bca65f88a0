"""Table of a run: effect of each fault on writes and reads, and the checker's findings."""

import collections
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from journal import entries
from schedule import Round

KINDS = ("lost", "twice", "reads", "shown", "writes", "other")
QUIET = "(before the first)"


@dataclass(frozen=True)
class Begun:
    """A round with the moment at which it began."""

    round: Round
    moment: float


def table(bus: str, begun: list[Begun], journal: Path, verdict: Path) -> Table:
    """Return one line for each trouble; entries belong to the last round that began before them."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for one in begun:
        counts[one.round.trouble]["rounds"] += 1
    for entry in entries(journal, "write"):
        counts[_during(begun, entry["began"])][entry["outcome"]] += 1
    for entry in entries(journal, "read"):
        of = counts[_during(begun, entry["began"])]
        of["asked"] += 1
        of["again"] += entry["tries"] > 1
    found = json.loads(verdict.read_text())["found"]
    for kind, ones in found.items():
        for one in ones:
            counts["(the end)" if one["at"] is None else _during(begun, one["at"])][kind] += 1
    columns = ("rounds", "kept", "unknown", "refused", "asked", "again", *KINDS)
    shown = Table(title=f"Chaos on {bus}", title_justify="left", caption=LEGEND)
    shown.add_column("trouble", no_wrap=True)
    for name in columns:
        shown.add_column(HEADS.get(name, name), justify="right")
    for name, of in sorted(counts.items()):
        shown.add_row(name, *(str(of[column]) for column in columns))
    total: collections.Counter[str] = sum(counts.values(), collections.Counter())
    shown.add_section()
    shown.add_row("all", *(str(total[column]) for column in columns))
    return shown


LEGEND = (
    "writes: kept = accepted, 503 = or no answer at all, wrong = any other answer; reads: again = "
    "asked a second time, failed = then too; shown = a blocked film; stale = the gateway's memory"
)
HEADS = {
    "kept": "kept", "unknown": "503", "refused": "4xx", "asked": "reads", "again": "again",
    "reads": "failed", "writes": "wrong", "other": "stale",
}  # fmt: skip


def _during(begun: list[Begun], moment: float) -> str:
    last = QUIET
    for one in begun:
        if one.moment > moment:
            break
        last = one.round.trouble
    return last


def counted(verdict: Path) -> dict[str, Any]:
    """Return the checker's counts, with the number of violations."""
    said = json.loads(verdict.read_text())
    return dict(said["counts"]) | {"violations": sum(map(len, said["found"].values()))}
