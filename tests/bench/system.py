"""The system under measurement: a demo that is started, or one that runs at an address."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from marquee_local.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 600.0
NEURAL_SECONDS = 900.0


@dataclass(frozen=True)
class System:
    """A running demo: its address, folder, bus, process, and the seconds until it was ready."""

    url: str
    state: Path
    bus: str
    pid: int
    ready_s: float = float("nan")

    def settings(self) -> dict[str, str]:
        """Return the environment that its processes have."""
        lines = (self.state / "marquee.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


def found(url: str) -> System:
    """Return the demo of this machine that answers at an address."""
    port = f"PORT={urlsplit(url).port or 80}"
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode().split("\0")
            if port in words and "marquee_local.demo" in words:
                asked = dict(word.split("=", 1) for word in words if "=" in word)
                return System(url.rstrip("/"), Path(asked["STATE"]), asked["BUS"], int(folder.name))
    raise SystemExit(f"no demo of this machine answers at {url}")


@contextlib.contextmanager
def started(state: Path, bus: str, neural: bool = True) -> Iterator[System]:
    """Start the demo on a free port; yield it once ready (`neural`: with its neural route)."""
    state.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{free_port()}"
    environ = os.environ | {"PORT": url.rpartition(":")[2], "STATE": str(state), "BUS": bus}
    output = state / "demo.txt"
    began = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy" / "demo.py")],
            env=environ | {"DATA": ""},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        _wait_for(process, output, "is ready", READY_SECONDS)
        ready = time.perf_counter() - began
        if neural and not list((state / "registry" / "neural").glob("2*")):
            _wait_for(process, output, "The neural route has joined", NEURAL_SECONDS)
        yield System(url, state, bus, process.pid, ready)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_for(process: "subprocess.Popen[bytes]", output: Path, words: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while words not in (text := output.read_text(errors="replace")):
        if process.poll() is not None:
            raise SystemExit(f"the demo ended with status {process.returncode}: {text[-2000:]}")
        if "failed: see" in text or time.monotonic() > deadline:
            return
        time.sleep(0.05)


def is_ready(port: int) -> bool:
    """Return whether a process says that it is ready."""
    with contextlib.suppress(OSError):
        address = f"http://127.0.0.1:{port}/health/ready"
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    return False
