"""Known vulnerabilities of everything in the locks, by pip-audit."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locks import AuditError, locks
from policy import Policy


class ServiceUnreachable(AuditError):
    """The vulnerability service gives no answer, so that nothing is known of the locks."""


def faults(root: Path, policy: Policy, options: Sequence[str] = ()) -> list[str]:
    """Return a line for each known vulnerability, and each exception that nothing needs.

    Args:
        root: of the repository.
        policy: vulnerabilities that are accepted.
        options: of pip-audit, such as the service to ask.

    Raises:
        ServiceUnreachable: No answer, or the service knows not one package of a lock.
    """
    by_lock = locks(root)
    found, needed = [], set()
    # The shortest first: a service that is not there is seen after a few calls.
    for name in sorted(by_lock, key=lambda lock: len(by_lock[lock])):
        for package in _packages(root, name, options):
            place = f"{name}: {package['name']}=={package.get('version', '?')}"
            if reason := package.get("skip_reason"):
                found.append(f"{name}: not checked: {reason}")
            for known in package.get("vulns", ()):
                ids = {known["id"], *known["aliases"]}
                needed |= ids & set(policy.exempt_vulnerabilities)
                if not ids & set(policy.exempt_vulnerabilities):
                    mended = ", ".join(known["fix_versions"]) or "no version"
                    found.append(f"{place}: {known['id']}, mended in {mended}")
    unused = set(policy.exempt_vulnerabilities) - needed
    return found + [f"policy.toml: nothing has {id_}: remove its exception" for id_ in unused]


def _packages(root: Path, lock: str, options: Sequence[str]) -> list[dict[str, Any]]:
    """Return what pip-audit says of each pin of a lock."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r", lock]
    command += ["--format", "json", "--progress-spinner", "off", *options]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ServiceUnreachable(f"pip-audit checked nothing of {lock}: {last}")
    packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    refuse_unknown(lock, packages, shlex.join(options))
    return packages


def refuse_unknown(lock: str, packages: Sequence[Mapping[str, Any]], asked: str) -> None:
    """Check that a service knows any package of a lock; pip-audit takes none for a success.

    Raises:
        ServiceUnreachable: It knows none.
    """
    if packages and all("skip_reason" in package for package in packages):
        raise ServiceUnreachable(
            f"the vulnerability service knows none of the {len(packages)} packages of {lock}: it is"
            f" not reached from here (asked: {asked or 'the default of pip-audit'})"
        )
