"""Version of the code that fits the models."""

import shutil
import subprocess
from importlib.metadata import version as package_version
from pathlib import Path


def code_version() -> str:
    """Return the commit of the repository, else the version of the package."""
    root = Path(__file__).resolve().parents[4]
    if (root / ".git").exists() and (git := shutil.which("git")):
        command = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
        described = subprocess.run(command, capture_output=True, text=True, timeout=10)
        if described.returncode == 0:
            return described.stdout.strip()
    return package_version("marquee-trainer")
