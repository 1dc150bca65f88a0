"""Findings of programs that judge files: bandit on the code, hadolint on the Dockerfiles."""

import json
import subprocess
import sys
from pathlib import Path

from locks import AuditError

CODE = ("libs", "services", "clients", "deploy")


def unsafe_code(root: Path) -> list[str]:
    """Return a line for each finding of bandit; exceptions stand in the code and pyproject.toml."""
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-f", "json", "-r"]
    folders = [name for name in CODE if (root / name).is_dir()]
    done = subprocess.run([*command, *folders], cwd=root, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        raise AuditError(f"bandit: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    found = [f"{error['filename']}: {error['reason']}" for error in report["errors"]]
    return found + [
        f"{item['filename']}:{item['line_number']}: {item['test_id']} {item['issue_text']}"
        for item in report["results"]
    ]


def dockerfiles(root: Path) -> list[str]:
    """Return a line for each finding of hadolint; exceptions stand in the Dockerfiles."""
    files = sorted(str(path.relative_to(root)) for path in root.glob("*/*/Dockerfile"))
    if not files:
        return []
    program = Path(sys.executable).with_name("hadolint")
    command = [str(program), "--format", "json", *files]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if not done.stdout:
        raise AuditError(f"hadolint: {done.stderr.strip()}")
    return [
        f"{item['file']}:{item['line']}: {item['code']} {item['message']}"
        for item in json.loads(done.stdout)
    ]
