"""Installation of torch and training of the neural model, behind the running system."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from marquee.child_process import die_with_parent
from marquee_local.places import ROOT, TRAINER
from marquee_local.supervisor import end_group

STOP_SECONDS = 3.0


def train_neural(
    environ: Mapping[str, str], log: Path, stop: threading.Event, say: Callable[[str], None]
) -> bool:
    """Install torch if it is missing, and train what needs it.

    Args:
        environ: Settings of the system.
        log: File that gets the output.
        stop: Ends it.
        say: Tells the user of a long step or a failure.

    Returns:
        Whether the training is done.
    """
    if not (TRAINER / "READY").exists():
        say("Installing torch behind this (6.5 GB of disk, once); the other routes answer.")
    commands = (
        ["make", "-s", "-C", str(ROOT), "install-trainer"],
        [str(TRAINER / "bin" / "marquee"), "train", "--only", "neural", "--wait"],
    )
    with log.open("ab") as output:
        for command in commands:
            status = _run(command, environ, output.fileno(), stop)
            if stop.is_set():
                return False
            if status != 0:
                say(f"{' '.join(command[:2])} failed: see {log}; the other routes answer.")
                return False
    return True


def _run(
    command: list[str], environ: Mapping[str, str], output: int, stop: threading.Event
) -> int | None:
    """Run a command at low priority until it ends or `stop` is set; return its status."""
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    process = subprocess.Popen(
        [*nice, *command],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,  # Ctrl-C is for the demo, which ends the whole group
        preexec_fn=die_with_parent,
    )
    while process.poll() is None and not stop.wait(0.2):
        pass
    if process.poll() is None:
        end_group(process, STOP_SECONDS)
    return process.returncode
