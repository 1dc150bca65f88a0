"""A real system to fuzz: all services on a small data set, with a gateway that asks for keys.

`fuzz_system.py JSON` runs it, given port, state, bus and size, until SIGTERM.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from marquee.child_process import die_with_parent
from marquee.domain.models import MODEL_NAMES
from marquee.settings import STATE_FILE, Settings, read
from marquee_local import demo
from marquee_local.demo import ONE_THREAD, Demo
from marquee_local.servers import free_port
from marquee_testing.small_fits import QUICK_PARAMS
from marquee_testing.waiting import until

SIZE = ("--users", "60", "--movies", "80", "--ratings", "1500", "--seed", "1")
READY_S, ENDING_S = 600.0, 60.0


class FuzzedDemo(Demo):
    """The demo, except that callers need keys, nothing needs torch and no training is due."""

    def __init__(self, asked: dict[str, str]) -> None:
        state = Path(asked["state"])
        super().__init__(int(asked["port"]), state, state / "data", asked["bus"])
        if asked["size"] == "short":
            self.services = ("user_model", "trainer")
            self.first_models = ("user-model",)
        self.environ |= {
            "MARQUEE_AUTH": "keys",
            "MARQUEE_VIEWER_RATE": "",
            "MARQUEE_PARAMS": str(QUICK_PARAMS),
            "MARQUEE_TRAIN_AFTER_RATINGS": "0",
            "MARQUEE_TRAIN_EVERY_S": "0",
            # Slowness of a busy machine is not what is looked for.
            "MARQUEE_DEADLINE_MS": "5000",
            "MARQUEE_WRITE_MS": "20000",
        }

    def import_data(self) -> None:
        """Generate the data set first, unless the state has it."""
        if not self.data.is_dir():
            self.run_marquee("data", "generate", str(self.data), *SIZE)
        super().import_data()

    def join_neural(self) -> None:
        """Train nothing that needs torch."""


@dataclass(frozen=True)
class System:
    """A running system: its address, folder, bus, and the file with what it has printed.

    A short one has one model service.
    """

    url: str
    state: Path
    bus: str
    output: Path
    is_short: bool

    @property
    def consumers(self) -> tuple[str, ...]:
        """The services whose facts are in Redis."""
        return ("gateway", "user-model") if self.is_short else ("gateway", *MODEL_NAMES)

    @property
    def settings(self) -> Settings:
        """The settings of its processes."""
        lines = (self.state / STATE_FILE).read_text().splitlines()
        return read(dict(line.split("=", 1) for line in lines))

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command `marquee` for this system."""
        program = Path(sys.executable).with_name("marquee")
        environ = os.environ | {"MARQUEE_STATE": str(self.state)}
        return subprocess.run(
            [program, "--no-hints", *arguments], env=environ, capture_output=True, text=True
        )

    def new_key(self, name: str, scopes: str) -> str:
        """Return a new key with some scopes."""
        made = self.command("keys", "create", "--name", name, "--scope", scopes)
        if made.returncode:
            raise SystemExit(f"no key can be created: {made.stderr}")
        return made.stdout.strip()

    def wait_for_key(self, key: str) -> None:
        """Wait until the gateway knows a key."""
        headers = {"Authorization": f"Bearer {key}"}
        until(lambda: httpx.get(f"{self.url}/v1/genres", headers=headers).status_code == 200)

    def ended_processes(self) -> list[str]:
        """Return what was said of processes that ended."""
        said = self.output.read_text(errors="replace").splitlines()
        return [line for line in said if " ended with status " in line]


@contextlib.contextmanager
def started(state: Path, bus: str, is_short: bool) -> Iterator[System]:
    """Run a system in a folder; yield it once it is ready."""
    state.mkdir(parents=True, exist_ok=True)
    port, output = free_port(), state / "output.txt"
    size = "short" if is_short else "whole"
    asked = {"port": str(port), "state": str(state), "bus": bus, "size": size}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(asked)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent,
        )
    try:
        _wait_until_ready(process, output)
        yield System(f"http://127.0.0.1:{port}", state, bus, output, is_short)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(ENDING_S)


def _wait_until_ready(process: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + READY_S
    while "Marquee is ready" not in (said := output.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the system does not start: {said[-2000:]}")
        time.sleep(0.1)


if __name__ == "__main__":
    # A busy machine is no fault: whoever started this waits as long, and no longer.
    demo.START_SECONDS = READY_S
    for variable, value in ONE_THREAD.items():
        os.environ.setdefault(variable, value)
    sys.exit(FuzzedDemo(json.loads(sys.argv[1])).run())
