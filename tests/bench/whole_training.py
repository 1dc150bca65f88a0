"""A training in one process, as `marquee train` runs it: stages share their common fits."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from stage_cost import Cost, Limits, run_command

WHOLE = "train"
"""The name of the whole; its stages are `train: <stage>`."""


def run_whole(folder: Path, release: Path, limits: Limits, params: Path) -> Iterator[Cost]:
    """Import the release once, train on it without publishing; yield the costs, a stage each.

    What a stage costs in CPU is not known where stages share a process; the limits are for all.
    """
    if not (folder / "state" / "history").exists():
        imported = run_command("import", ["data", "import", str(release)], folder, limits)
        if imported.outcome:
            yield imported
            return
    arguments = ["train", "--no-publish", "--json", "--params", str(params)]
    cost = run_command(WHOLE, arguments, folder, limits)
    for stage in _record(folder / f"{WHOLE}.log").get("stages", ()):
        outcome = "" if stage["status"] == "succeeded" else str(stage["status"])
        seconds, peak = stage["seconds"] or 0.0, stage["peak_mb"] or 0.0
        yield Cost(f"{WHOLE}: {stage['name']}", seconds, float("nan"), peak, outcome)
    yield replace(cost, name=f"{WHOLE}: all")


def _record(log: Path) -> dict[str, Any]:
    """Return the record that a training wrote as JSON at the end of its output."""
    text = log.read_text()
    start = text.find("{\n")
    return dict(json.loads(text[start:])) if start >= 0 else {}
