"""Cost of training stages and of answers: stored as JSON, shown as tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from pathlib import Path

from rich.console import Console

from answering import Answered
from report import Table, machine
from sizes import Size
from stage_cost import Cost
from system import ROOT
from whole_training import WHOLE

MODELS = ("content", "hybrid", "user-model", "neural")
STAGES = ("data", *MODELS, "evaluate")
_TIMES = "p50; of CPU p50 / p99"
_FILE = "found.json"


@dataclass
class Found:
    """The newest figures of one size: costs by stage, answers by model."""

    costs: dict[str, Cost] = field(default_factory=dict)
    answers: dict[str, list[Answered]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Found":
        """Return the figures of earlier runs in a folder."""
        path = folder / _FILE
        if not path.exists():
            return cls()
        held = json.loads(path.read_text())
        return cls(
            {name: Cost(**cost) for name, cost in held["costs"].items()},
            {name: [Answered(**one) for one in ones] for name, ones in held["answers"].items()},
        )

    def add(self, one: Cost | Answered) -> None:
        """Add a figure; it replaces an older one of the same kind."""
        if isinstance(one, Cost):
            self.costs[one.name] = one
            return
        others = self.answers.get(one.model, [])
        kept = [o for o in others if (o.what, o.ratings) != (one.what, one.ratings)]
        self.answers[one.model] = [*kept, one]


def note(folder: Path, *figures: Cost | Answered) -> None:
    """Store figures in a folder, beside those of earlier runs."""
    found = Found.read(folder)
    for one in figures:
        found.add(one)
    (folder / _FILE).write_text(json.dumps(asdict(found), indent=1) + "\n")


def _costs(size: Size, found: Mapping[str, Cost]) -> Table:
    costs = [found[name] for name in ("generate", *STAGES) if name in found]
    rows = [_cost(cost) for cost in costs]
    stages = [c for c in costs if c.name in STAGES]
    if len(stages) > 1:
        total = (sum(c.wall_s for c in stages), sum(c.cpu_s for c in stages))
        peak = max(c.peak_mib for c in stages)
        rows.append(("all stages", *(f"{t:,.1f}" for t in total), f"{peak:,.0f}", ""))
    rows += [_cost(cost) for name, cost in found.items() if name.startswith(WHOLE)]
    columns = ("stage", "seconds", "CPU s", "peak MiB", "outcome")
    return Table(f"Training on {size.words}", columns, rows)


def _cost(cost: Cost) -> tuple[str, ...]:
    cpu = "–" if isnan(cost.cpu_s) else f"{cost.cpu_s:,.1f}"
    figures = (f"{cost.wall_s:,.1f}", cpu, f"{cost.peak_mib:,.0f}")
    return cost.name, *figures, cost.outcome or "done"


def _answers(size: Size, found: Sequence[Answered]) -> list[Table]:
    answers = [one for one in found if one.ratings is not None]
    counts = sorted({one.ratings for one in answers if one.ratings is not None})
    rows = []
    for model in dict.fromkeys(one.model for one in answers):
        cells = {one.ratings: one for one in answers if one.model == model}
        resident = max(one.resident_mib for one in cells.values())
        rows.append((model, f"{resident:,.0f}", *(_cell(cells.get(count)) for count in counts)))
    columns = ("service", "resident MiB", *(f"{count} ratings" for count in counts))
    fresh = [(f"{o.model}: {o.what}", _cell(o)) for o in found if o.ratings is None]
    movies = next((one.movies for one in found), 0)
    return [
        Table(f"One answer among {movies:,} films ({size.name}), ms: {_TIMES}", columns, rows),
        Table("A new film or viewer by the fitted steps, ms", ("what", _TIMES), fresh),
    ]


def _cell(one: Answered | None) -> str:
    if one is None:
        return "–"
    return f"{one.p50_ms:.2f}; {one.cpu_p50_ms:.2f} / {one.cpu_p99_ms:.2f}"


def show(size: Size, found: Found, console: Console) -> None:
    """Print the tables; write them to reports/bench-train-SIZE.md, all sizes to bench-train.md."""
    tables = [_costs(size, found.costs)] if found.costs else []
    every = [one for answers in found.answers.values() for one in answers]
    tables += _answers(size, every) if every else []
    about = machine()
    where = (
        f"{about['time']}, {about['cores']} cores ({about['processor']}), commit {about['commit']}"
    )
    for table in tables:
        console.print(table.rich())
    console.print(where)
    folder = ROOT / "reports"
    folder.mkdir(exist_ok=True)
    text = "\n".join([f"{where}.\n", *(table.markdown() for table in tables)])
    (folder / f"bench-train-{size.name}.md").write_text(text)
    parts = [path.read_text() for path in sorted(folder.glob("bench-train-*.md"))]
    (folder / "bench-train.md").write_text("\n".join(parts))
