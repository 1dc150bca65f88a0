"""Node, which builds the TypeScript client and runs its tests."""

import fcntl
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
PACKAGE = ROOT / "clients/typescript"
_OLDEST = 18
"""The Node of Debian 12 runs the tests, with a flag; the package asks for 20."""
_FLAGS = {"NODE_OPTIONS": "--experimental-global-webcrypto"}


def node_lacks() -> str:
    """Return what is wanting to run the TypeScript client; empty if nothing is."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "Node with npm is not installed"
    return "" if _version() >= _OLDEST else f"Node {_OLDEST} or newer is needed"


def node_environ() -> dict[str, str]:
    """Return the environment in which Node runs the client."""
    return {**os.environ, **(_FLAGS if _version() < 20 else {})}


@cache
def _version() -> int:
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"v(\d+)", said)
    return int(version[1]) if version else 0


def built_typescript() -> Path:
    """Return the folder of the client, its tools installed and its modules built.

    Raises:
        AssertionError: The sources do not compile.
    """
    with (PACKAGE / "package.json").open() as lock:  # for the worker processes of a test run
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(["make", "-s", "clients/typescript/node_modules/BUILT"], ROOT)
    return PACKAGE


def run(command: list[str | Path], folder: Path, **environ: str) -> str:
    """Return what a command prints.

    Raises:
        AssertionError: It ended with another status than 0; it has what was printed.
    """
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        command,
        cwd=folder,
        env=node_environ() | environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return str(done.stdout)
