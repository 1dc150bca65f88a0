"""The audit of the supply chain: `make audit`, and its parts without network: `make audit-offline`.

Each part prints its findings, one a line, and how long it took. Exit status: 0 all is well, 1 there
are findings, 2 the audit could not be done.
"""

import argparse
import importlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from locks import AuditError
from policy import Policy, read_policy

ROOT = Path(__file__).resolve().parents[2]
BILLS = Path("reports/sbom")

_LANES = 2
"""How many parts run at a time."""

_Done = subprocess.CompletedProcess[str]


PARTS = ("secrets", "history", "sbom", "code", "licences", "dockerfiles", "vulnerabilities")
"""All parts; those that take longest come first."""
OFFLINE = ("secrets", "sbom", "code", "licences", "dockerfiles")
"""What needs neither the network nor the git history, and little time; the longest first."""


def main(arguments: Sequence[str]) -> int:
    """Run the parts; return the exit status."""
    options = _parse(arguments)
    root = options.root.resolve()
    try:
        policy = read_policy(root)
        if options.update_licences:
            new = importlib.import_module("licences").update(root, policy)
            print(f"licences: {new} new")
            return 0
        return _run(root, policy, _parts(options), options)
    except AuditError as error:
        print(f"the audit cannot be done: {error}", file=sys.stderr)
        return 2


def _parts(options: argparse.Namespace) -> Sequence[str]:
    return options.parts or (OFFLINE if options.offline else PARTS)


def _run(root: Path, policy: Policy, parts: Sequence[str], options: argparse.Namespace) -> int:
    """Run parts one after the other, or, where there are several, side by side in processes."""
    if len(parts) == 1:
        return _run_one(parts[0], root, policy, options)
    with ThreadPoolExecutor(_LANES) as pool:
        running = [pool.submit(_run_apart, name, root, options) for name in parts]
        return max(_shown(part.result()) for part in running)


def _run_apart(name: str, root: Path, options: argparse.Namespace) -> _Done:
    command = [sys.executable, __file__, name, "--root", str(root)]
    command += [f"--pip-audit={options.pip_audit}"]
    command += ["--without-vulnerabilities"] if options.without_vulnerabilities else []
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _shown(done: _Done) -> int:
    print(done.stdout, end="", flush=True)
    return done.returncode if done.returncode in (0, 1) else 2


def _run_one(name: str, root: Path, policy: Policy, options: argparse.Namespace) -> int:
    if name == "vulnerabilities" and options.without_vulnerabilities:
        print("vulnerabilities: NOT CHECKED, as --without-vulnerabilities says")
        return 0
    started = time.monotonic()
    try:
        found = _found(name, root, policy, options.pip_audit)
    except AuditError as error:
        print(f"{name}: NOT CHECKED: {error}")
        return 2
    for fault in found:
        print(f"  {fault}")
    print(f"{name}: {len(found) or 'no'} findings ({time.monotonic() - started:.1f} s)")
    return 1 if found else 0


def _found(name: str, root: Path, policy: Policy, pip_audit: str) -> Sequence[str]:
    """Return the findings of a part; only its modules are loaded, some of which take seconds."""
    if name in ("code", "dockerfiles"):
        programs = importlib.import_module("programs")
        return list(programs.unsafe_code(root) if name == "code" else programs.dockerfiles(root))
    if name in ("secrets", "history"):
        search = importlib.import_module("secret_scan")
        whole = name == "history"
        return list((search.secrets_in_history if whole else search.secrets_in_files)(root, policy))
    if name == "sbom":
        importlib.import_module("sbom").write_all(root, root / BILLS)
        return []
    if name == "licences":
        return list(importlib.import_module("licences").faults(root, policy))
    vulnerabilities = importlib.import_module("vulnerabilities")
    return list(vulnerabilities.faults(root, policy, shlex.split(pip_audit)))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; or all")
    parser.add_argument("--offline", action="store_true", help=f"only {', '.join(OFFLINE)}")
    parser.add_argument(
        "--without-vulnerabilities", action="store_true", help="where no service can be reached"
    )
    parser.add_argument(
        "--pip-audit", default="", metavar="OPTIONS", help="for pip-audit, such as `-s osv`"
    )
    parser.add_argument(
        "--update-licences", action="store_true", help="ask the package index about new pins"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="of the repository")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
