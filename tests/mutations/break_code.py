"""Break the real code on purpose, one place at a time: the test named for it has to fail.

Each break is made in a copy of the tree. First the tests have to pass on the copy as it is. Numbers
on the command line choose single breaks.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from breaks import BREAKS, Break

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("libs", "services", "tests", "pyproject.toml")
SEEDS = "500"
PATIENCE = "0.2"
"""Waits of a test that has to fail end soon."""
TIMEOUT = 180
FAILED = 1
"""pytest's status when tests ran and some failed; others say that they did not run."""


@dataclass(frozen=True)
class Outcome:
    """What the test of a break did, and which test was the first to fail."""

    status: int
    seconds: float
    first: str


def main(chosen: Sequence[str]) -> int:
    """Run all breaks, or those with the numbers given; return the exit status."""
    numbered = [(n, one) for n, one in enumerate(BREAKS, 1) if not chosen or str(n) in chosen]
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        tree = copied(Path(folder))
        tests = sorted({(one.test, one.only) for _, one in numbered})
        ill = [test for test in tests if run(tree, *test).status]
        for test, only in ill:
            print(f"fails without any break: {test} {only}")
        if ill:
            return 2
        outcomes = [outcome_of(tree, *one) for one in numbered]
    survived = sum(outcome.status != FAILED for outcome in outcomes)
    print(f"\nbreaks made: {len(outcomes)}, noticed: {len(outcomes) - survived}")
    return 1 if survived else 0


def copied(folder: Path) -> Path:
    """Copy the tree, without what was compiled: a stale file would hide a break."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    return folder


def outcome_of(tree: Path, number: int, one: Break) -> Outcome:
    """Make a break, run its test, mend it, and print a line of the table."""
    path = tree / one.file
    whole = path.read_text()
    path.write_text(broken(whole, one))
    try:
        outcome = run(tree, one.test, one.only)
    finally:
        path.write_text(whole)
    verdict = outcome.first if outcome.status == FAILED else "NOT CAUGHT"
    print(f"| {number} | {one.name} | {verdict} | {outcome.seconds:.0f} s |", flush=True)
    return outcome


def broken(text: str, one: Break) -> str:
    """Return a file's text with the break. ValueError: the place is not there just once."""
    if text.count(one.old) != 1:
        raise ValueError(f"{one.name}: {one.file} holds its text {text.count(one.old)} times")
    return text.replace(one.old, one.new)


def run(tree: Path, test: str, only: str) -> Outcome:
    """Run a test in the tree until something fails."""
    packages = [
        "libs/common",
        "tests/support",
        *(str(p.relative_to(tree)) for p in tree.glob("services/*")),
    ]
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(tree / package) for package in packages),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SIMULATION_SEEDS": SEEDS,
        "HYPOTHESIS_PROFILE": "unshrunk",
        "TEST_PATIENCE": PATIENCE,
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    options = ["-k", only] if only else []
    started = time.monotonic()
    done = subprocess.run(
        [*command, *options, f"--timeout={TIMEOUT}"],
        cwd=tree, env=environ, capture_output=True, text=True,
    )  # fmt: skip
    found = re.search(r"^(?:FAILED|ERROR) \S+?::(\S+)", done.stdout, re.MULTILINE)
    first = found[1] if found else f"pytest ended with {done.returncode}"
    name = Path(test.partition("::")[0]).name
    return Outcome(done.returncode, time.monotonic() - started, f"`{name}`: `{first}`")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
