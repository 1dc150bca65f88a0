"""Locks: the requirements files with pinned versions and hashes, found in one place."""

from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PATTERNS = ("requirements-*.txt", "*/*/requirements.txt")
"""Where locks are: of environments in the root, of distributions beside their pyproject.toml."""


class AuditError(Exception):
    """The audit cannot be done, or its own files are wrong; the text says what to do."""


@dataclass(frozen=True, order=True)
class Pin:
    """One version of one package.

    Attributes:
        name: normalised by PEP 503.
        version: as the lock states it.
    """

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def locks(root: Path) -> dict[str, list[Pin]]:
    """Return the pins of every lock by the lock's path from the root.

    Raises:
        AuditError: There is no lock, or a line of one is not an exact version with a hash.
    """
    paths = sorted(path for pattern in PATTERNS for path in root.glob(pattern))
    if not paths:
        raise AuditError(f"{root} has no lock ({', '.join(PATTERNS)}): run `make lock`")
    return {str(path.relative_to(root)): _pins(path) for path in paths}


def _pins(path: Path) -> list[Pin]:
    return [_pin(path, line) for line in _logical_lines(path.read_text()) if line]


def _logical_lines(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in joined.splitlines() if line[:1] != "#"]


def _pin(path: Path, line: str) -> Pin:
    text, *hashes = line.split(" --hash=")
    try:
        requirement = Requirement(text)
    except ValueError as error:
        raise AuditError(f"{path.name}: {text!r} is no requirement: {error}") from None
    exact = [part for part in requirement.specifier if part.operator == "=="]
    if len(requirement.specifier) != 1 or not exact or not hashes:
        raise AuditError(f"{path.name}: {text!r} is not one version with a hash: run `make lock`")
    return Pin(canonicalize_name(requirement.name), exact[0].version)
