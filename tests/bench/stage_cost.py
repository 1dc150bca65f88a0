"""Cost of a command with its children: wall time, CPU time, peak memory."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_S = 0.2


@dataclass(frozen=True)
class Limits:
    """Limits at which a process is stopped, in CPU seconds (free of other load) and memory."""

    seconds: float
    gib: float


@dataclass(frozen=True)
class Cost:
    """Cost of a process; `outcome` is empty if it succeeded."""

    name: str
    wall_s: float
    cpu_s: float
    peak_mib: float
    outcome: str = ""


def run_stage(name: str, folder: Path, release: Path, limits: Limits, params: Path) -> Cost:
    """Run a stage of a training whose work lies in `folder`; return its cost."""
    arguments = ["stage", name, "--work", str(folder / "work"), "--params", str(params)]
    if name == "data":
        arguments += ["--data", str(release)]
    return run_command(name, arguments, folder, limits)


def run_command(name: str, arguments: Sequence[str], folder: Path, limits: Limits) -> Cost:
    """Run a `marquee` command, its output in `<folder>/<name>.log`; return its cost."""
    command = [sys.executable, "-m", "trainer.cli", "--quiet", *arguments]
    environ = os.environ | {"MARQUEE_STATE": str(folder / "state")}
    began = time.perf_counter()
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        outcome, peak = _watch(process, limits)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if not outcome and process.returncode:
        outcome = f"failed: see {name}.log"
    return Cost(name, wall, usage.ru_utime + usage.ru_stime, peak / MIB, outcome)


def _watch(process: "subprocess.Popen[bytes]", limits: Limits) -> tuple[str, int]:
    """Wait until a process has ended, or end it at a limit; return why it was ended, and the most
    bytes that it and its children have held at one time."""
    peak = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        family = _family(process.pid)
        peak = max(peak, sum(map(_resident, family)))
        outcome = ""
        if sum(map(_cpu_s, family)) > limits.seconds:
            outcome = f"stopped after {limits.seconds / 60:g} min of CPU"
        elif peak > limits.gib * 1024 * MIB:
            outcome = f"stopped at {limits.gib:g} GiB"
        if outcome:
            process.kill()
            return outcome, peak
        time.sleep(_LOOK_S)
    return "", peak


def _family(pid: int) -> list[int]:
    """Return a process and all that come from it."""
    found = [pid]
    for one in found:  # grows while it is gone through
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{one}/task/{one}/children").read_text()
            found.extend(map(int, children.split()))
    return found


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def _cpu_s(pid: int) -> float:
    """Seconds of a process, and of those children that it has waited for."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS
    return 0.0
