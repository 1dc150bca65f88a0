"""Run the whole test suite by kind, say what ran, and end with `N passed, N failed, N skipped`."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports"
# Seconds that one test of a kind may take.
TIMEOUTS = {
    "unit": 30,
    "contract": 120,
    "simulation": 300,
    "integration": 180,
    "e2e": 300,
    "chaos": 420,
    "quality": 600,
    "pipeline": 600,
}
FOR_TRAINER = re.compile(r"\bmark\.trainer\b")
ALL_FOR_TRAINER = re.compile(r"^pytestmark\b.*\bmark\.trainer\b", re.MULTILINE)


@dataclass
class Count:
    """How the tests of one kind ended."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
        )

    @property
    def executed(self) -> int:
        return self.passed + self.failed


def main(kinds: list[str]) -> int:
    """Run the named kinds, or all; return the exit status."""
    unknown = [kind for kind in kinds if kind not in TIMEOUTS]
    if unknown:
        print(f"no such kind: {unknown[0]}; there are {', '.join(TIMEOUTS)}", file=sys.stderr)
        return 2
    strict = os.environ.get("CI") == "true"
    missing = missing_programs()
    REPORTS.mkdir(exist_ok=True)
    counts = {kind: run(kind) for kind in kinds or TIMEOUTS}
    faults = [f"{name} is not installed" for name in missing] + too_few(counts)
    table(counts)
    for fault in faults:
        print(f"{'error' if strict else 'note'}: {fault}")
    total = sum(counts.values(), Count())
    failed = total.failed + (len(faults) if strict else 0)
    print(f"{total.passed} passed, {failed} failed, {total.skipped} skipped", flush=True)
    return 1 if failed or not total.executed else 0


def missing_programs() -> list[str]:
    """Name the programs without which tests are skipped."""
    wanted = {"Java": ["java"], "Chromium": ["chromium", "chromium-browser", "google-chrome"]}
    return [name for name, programs in wanted.items() if not any(map(shutil.which, programs))]


def too_few(counts: dict[str, Count]) -> list[str]:
    """Name the kinds of which fewer tests ran than tests/minimum.toml asks for."""
    minimum = tomllib.loads((ROOT / "tests" / "minimum.toml").read_text())["executed"]
    return [
        f"{kind}: {count.executed} tests ran, at least {minimum[kind]} should"
        for kind, count in counts.items()
        if count.executed < minimum[kind]
    ]


def run(kind: str) -> Count:
    """Run one kind: what is marked `trainer` in .venv-trainer, all else in .venv."""
    files = {path: path.read_text() for path in (ROOT / "tests" / kind).rglob("test_*.py")}
    serving = [path for path, text in files.items() if not ALL_FOR_TRAINER.search(text)]
    training = [path for path, text in files.items() if FOR_TRAINER.search(text)]
    return child(kind, ".venv", "not trainer", serving) + child(
        kind, ".venv-trainer", "trainer", training
    )


def child(kind: str, environment: str, marks: str, paths: list[Path]) -> Count:
    """Run pytest on files in one environment; a crash or a failed collection counts as failed."""
    if not paths:
        return Count()
    print(f"\n== {kind} ({environment})", flush=True)
    report = REPORTS / f"{kind}{environment}.xml"
    report.unlink(missing_ok=True)
    command = [f"{ROOT}/{environment}/bin/python", "-m", "pytest", "-q", "-m", marks]
    options = [
        "--continue-on-collection-errors",
        f"--junitxml={report}",
        f"--timeout={TIMEOUTS[kind]}",
        "--durations=3",
    ]
    started = time.monotonic()
    files = sorted(str(path.relative_to(ROOT)) for path in paths)
    status = subprocess.run(command + options + files, cwd=ROOT).returncode
    count = read(report) if report.exists() else Count()
    count.seconds = time.monotonic() - started
    if status not in (0, 5) and not count.failed:
        count.failed = 1
    return count


def read(report: Path) -> Count:
    """Return the counts of a JUnit file; an error of a fixture is a failure."""
    count = Count()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        number = {
            name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        }
        failed = number["failures"] + number["errors"]
        count += Count(number["tests"] - failed - number["skipped"], failed, number["skipped"])
    return count


def table(counts: dict[str, Count]) -> None:
    """Print one line a kind."""
    print(f"\n{'kind':<12} executed  passed  failed  skipped  seconds")
    for kind, count in counts.items():
        numbers = f"{count.executed:>8} {count.passed:>7} {count.failed:>7} {count.skipped:>8}"
        print(f"{kind:<12} {numbers} {count.seconds:>8.1f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
