"""A process that the demo runs behind the system is ended with everything that it started."""

import contextlib
import os
import subprocess
import sys

from marquee_local.supervisor import end_group
from marquee_testing.waiting import until

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def runs(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
    return False


def test_what_does_not_end_when_asked_is_killed_with_its_children() -> None:
    command = [sys.executable, "-c", STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert os.getpgid(child) == process.pid
        end_group(process, 0.2)
        assert process.returncode == -9
        until(lambda: not runs(child))
