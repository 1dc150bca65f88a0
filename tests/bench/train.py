"""Measurement of a training on data of a chosen size: one process for each stage, or for all.

It also measures answers of each model service and the derivation of a new movie and user, with
the trained models.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from answering import answers_of
from sizes import SIZES, data_of
from stage_cost import Limits, run_stage
from system import ROOT
from train_report import MODELS, STAGES, Found, note, show
from whole_training import run_whole


def main() -> int:
    """Measure what the command line asks for; print it and write reports/bench-train.md."""
    asked = _arguments()
    size, console = SIZES[asked.size], Console(width=140, highlight=False)
    folder = asked.folder.resolve() / asked.size
    limits = Limits(60 * asked.minutes, asked.gib)
    try:
        data = data_of(size, folder, limits, asked.stages, console)
        if data.cost:
            note(folder, data.cost)
        if asked.whole:
            console.print("[dim]bench: all stages in one process[/dim]")
            whole = replace(limits, seconds=len(STAGES) * limits.seconds)
            note(folder, *run_whole(folder, data.path, whole, asked.params))
        for name in () if asked.whole else asked.stages:
            console.print(f"[dim]bench: {name}[/dim]")
            cost = run_stage(name, folder, data.path, limits, asked.params)
            note(folder, cost)
            if cost.outcome and name == "data":
                break
        for name in () if asked.whole else asked.answers:
            console.print(f"[dim]bench: answers of {name}[/dim]")
            note(folder, *answers_of(name, folder / "work" / "models" / name))
    finally:  # what was measured before it was stopped is shown, beside what earlier runs found
        show(size, Found.read(folder), console)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-train", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "var" / "bench-train", help="kept, and used again"
    )
    parser.add_argument(
        "--whole", action="store_true", help="as `marquee train` does it, in one process"
    )
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES)
    parser.add_argument("--answers", nargs="*", choices=MODELS, default=MODELS)
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="a stage is stopped after so much CPU"
    )
    parser.add_argument("--gib", type=float, default=12.0, help="or above so much memory")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
