"""Run the whole test suite by kind, say what ran, and end with `N passed, N failed, N skipped`.

Kinds run side by side, as many as there are lanes, and the files of a kind that mostly waits are
spread over worker processes: the machine waits for servers most of the time.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports"
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))
"""Factor on the time limits of tests, as on the deadlines of the waits within them."""
LANES = min(4, max(2, os.cpu_count() or 2))
"""How many kinds run at a time: on one core too, since they wait for servers most of the time."""


@dataclass(frozen=True)
class Kind:
    """What one kind of tests needs to run."""

    limit_s: int
    """How long one test may take."""
    workers: int = 1
    """Over how many processes the files are spread."""


# By the time that they take, longest first: so the lanes end at about the same time. The first one
# takes one core throughout, the next two mostly wait.
KINDS = {
    "quality": Kind(1200),
    "integration": Kind(400, workers=4),
    "e2e": Kind(1500),
    "unit": Kind(120, workers=2),
    "pipeline": Kind(1200),
    "chaos": Kind(900),
    "simulation": Kind(600, workers=2),
    "contract": Kind(400, workers=2),
    "fuzz": Kind(600),
}
COVERED = ("unit", "contract", "simulation")
"""The kinds in whose processes the code runs, which coverage is measured of."""
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


@dataclass(frozen=True)
class Job:
    """The files of one kind that run in one environment."""

    kind: str
    environment: str
    marks: str
    files: list[str]
    workers: int

    @property
    def name(self) -> str:
        return f"{self.kind}{self.environment}"


@dataclass
class Runner:
    """Runs jobs, several at a time; the output of each is printed as a whole when it ends."""

    coverage: bool
    alone: bool = False
    """Whether a job may print while it runs, as no other does."""
    printing: threading.Lock = field(default_factory=threading.Lock)

    def run(self, job: Job) -> Count:
        """Run pytest on a job; a crash or a failed collection counts as failed."""
        report, log = REPORTS / f"{job.name}.xml", REPORTS / f"{job.name}.txt"
        report.unlink(missing_ok=True)
        started = time.monotonic()
        self._say(f"== {job.kind} ({job.environment}) starts")
        with log.open("w") as file:
            status = subprocess.run(
                self._command(job, report),
                cwd=ROOT,
                env=self._environ(job),
                stdout=None if self.alone else file,
                stderr=None if self.alone else subprocess.STDOUT,
            ).returncode
        count = read(report) if report.exists() else Count()
        count.seconds = time.monotonic() - started
        if status not in (0, 5) and not count.failed:
            count.failed = 1
        self._say(f"\n== {job.kind} ({job.environment})\n{log.read_text(errors='replace')}")
        return count

    def _say(self, text: str) -> None:
        with self.printing:
            print(text, flush=True)

    def _command(self, job: Job, report: Path) -> list[str]:
        command = [f"{ROOT}/{job.environment}/bin/python", "-m", "pytest", "-q", "-m", job.marks]
        command += [
            "--continue-on-collection-errors",
            f"--junitxml={report}",
            f"--timeout={KINDS[job.kind].limit_s * PATIENCE:g}",
            "--durations=3",
        ]
        if (workers := min(job.workers, len(job.files))) > 1:
            command += ["-n", str(workers), "--dist", "loadfile"]
        if self.coverage:
            command += ["--cov", "--cov-report=", "--cov-fail-under=0"]
        return command + job.files

    def _environ(self, job: Job) -> dict[str, str]:
        environ = os.environ | {"COVERAGE_FILE": str(REPORTS / f".coverage.{job.name}")}
        # The tests start hundreds of processes: compiling the sources in each would take minutes.
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return environ


def main(arguments: list[str]) -> int:
    """Run the named kinds, or all; return the exit status."""
    options = parse(arguments)
    unknown = [kind for kind in options.kinds if kind not in KINDS]
    if unknown:
        print(f"no such kind: {unknown[0]}; there are {', '.join(KINDS)}", file=sys.stderr)
        return 2
    strict = os.environ.get("CI") == "true"
    missing = missing_programs()
    REPORTS.mkdir(exist_ok=True)
    started = time.monotonic()
    counts = run(options.kinds or (COVERED if options.coverage else KINDS), options)
    faults = [f"{name} is not installed" for name in missing] + too_few(counts)
    table(counts, time.monotonic() - started)
    total = sum(counts.values(), Count())
    failed = total.failed + (len(faults) if strict else 0)
    if options.coverage and not covered():
        failed += 1
    for fault in faults:
        print(f"{'error' if strict else 'note'}: {fault}")
    print(f"{total.passed} passed, {failed} failed, {total.skipped} skipped", flush=True)
    return 1 if failed or not total.executed else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; or all")
    parser.add_argument("--lanes", type=int, default=LANES, help="how many kinds run at a time")
    parser.add_argument("--coverage", action="store_true", help="measure coverage, under its floor")
    return parser.parse_args(arguments)


def missing_programs() -> list[str]:
    """Name the programs without which tests are skipped."""
    wanted = {
        "Java": ["java"],
        "Chromium": ["chromium", "chromium-browser", "google-chrome"],
        "Node with npm": ["npm"],
    }
    return [name for name, programs in wanted.items() if not any(map(shutil.which, programs))]


def too_few(counts: dict[str, Count]) -> list[str]:
    """Name the kinds of which fewer tests ran than tests/minimum.toml asks for."""
    minimum = tomllib.loads((ROOT / "tests" / "minimum.toml").read_text())["executed"]
    return [
        f"{kind}: {count.executed} tests ran, at least {minimum[kind]} should"
        for kind, count in counts.items()
        if count.executed < minimum[kind]
    ]


def run(kinds: Iterable[str], options: argparse.Namespace) -> dict[str, Count]:
    """Run kinds side by side; return how the tests of each ended."""
    counts = {kind: Count() for kind in KINDS if kind in kinds}
    work = [job for kind in counts for job in jobs(kind)]
    runner = Runner(options.coverage, alone=min(options.lanes, len(work)) < 2)
    with ThreadPoolExecutor(options.lanes) as pool:
        for job, count in zip(work, pool.map(runner.run, work), strict=True):
            counts[job.kind] += count
    return counts


def jobs(kind: str) -> list[Job]:
    """Return the jobs of a kind: what is marked `trainer` for .venv-trainer, all else for .venv."""
    texts = {path: path.read_text() for path in sorted((ROOT / "tests" / kind).rglob("test_*.py"))}
    files = {str(path.relative_to(ROOT)): text for path, text in texts.items()}
    serving = [file for file, text in files.items() if not ALL_FOR_TRAINER.search(text)]
    training = [file for file, text in files.items() if FOR_TRAINER.search(text)]
    both = (
        Job(kind, ".venv", "not trainer", serving, KINDS[kind].workers),
        # These compute all the time, and each process would load torch.
        Job(kind, ".venv-trainer", "trainer", training, 1),
    )
    return [job for job in both if job.files]


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


def covered() -> bool:
    """Print the coverage of all jobs together; return whether it is above its floor."""
    coverage = [f"{ROOT}/.venv/bin/coverage"]
    data = [str(path) for path in REPORTS.glob(".coverage.*")]
    environ = os.environ | {"COVERAGE_FILE": str(REPORTS / ".coverage")}
    subprocess.run([*coverage, "combine", "-q", *data], cwd=ROOT, env=environ, check=True)
    return subprocess.run([*coverage, "report"], cwd=ROOT, env=environ).returncode == 0


def table(counts: dict[str, Count], seconds: float) -> None:
    """Print one line a kind, and the time of all."""
    print(f"\n{'kind':<12} executed  passed  failed  skipped  seconds")
    for kind, count in counts.items():
        numbers = f"{count.executed:>8} {count.passed:>7} {count.failed:>7} {count.skipped:>8}"
        print(f"{kind:<12} {numbers} {count.seconds:>8.1f}")
    print(f"{'all, by the clock':<46} {seconds:>8.1f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
