"""Policy of the audit: what is allowed, and each exception with its reason."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locks import AuditError

PATH = Path("tests/audit/policy.toml")


@dataclass(frozen=True)
class Exemption:
    """One finding that is accepted.

    Attributes:
        of: what it is about: a package, an id of a vulnerability, a hash of a value, a pattern.
        reason: why it is accepted.
        licence: for packages: the licence that is meant, in SPDX.
        kinds: for files: the kinds of secrets that are meant, as detect-secrets names them.
    """

    of: str
    reason: str
    licence: str = ""
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policy:
    """What the audit accepts.

    Attributes:
        licences: ids of SPDX that every package may have.
        licences_of_tools: ids that packages may have too that are in no lock of `shipped`.
        shipped: locks of what is installed into images or beside a published distribution.
        stated: licences of packages whose metadata do not say them.
        exempt_licences: packages with another licence.
        exempt_vulnerabilities: ids.
        exempt_values: SHA-1 of values that look like secrets.
        exempt_kinds: pattern of file names → kinds of secrets that count for nothing there.
        unscanned: patterns of file names that are not searched for secrets.
    """

    licences: frozenset[str]
    licences_of_tools: frozenset[str]
    shipped: frozenset[str]
    stated: Mapping[str, Exemption]
    exempt_licences: Mapping[str, Exemption]
    exempt_vulnerabilities: Mapping[str, Exemption]
    exempt_values: Mapping[str, Exemption]
    exempt_kinds: Mapping[str, Exemption]
    unscanned: Mapping[str, Exemption]


def read_policy(root: Path) -> Policy:
    """Return the policy of a repository.

    Raises:
        AuditError: The file lacks a field, or an exception has no reason.
    """
    path = root / PATH
    try:
        data = tomllib.loads(path.read_text())
        return Policy(
            licences=frozenset(data["licences"]["allowed"]),
            licences_of_tools=frozenset(data["licences"]["allowed_for_tools"]),
            shipped=frozenset(data["licences"]["shipped"]),
            stated=_exemptions(data["licences"].get("stated", ()), "package"),
            exempt_licences=_exemptions(data["licences"].get("exempt", ()), "package"),
            exempt_vulnerabilities=_exemptions(data["vulnerabilities"].get("exempt", ()), "id"),
            exempt_values=_exemptions(data["secrets"].get("exempt", ()), "sha1"),
            exempt_kinds=_exemptions(data["secrets"].get("exempt_kinds", ()), "files"),
            unscanned=_exemptions(data["secrets"].get("unscanned", ()), "files"),
        )
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise AuditError(f"{PATH}: {error!r}") from None


def _exemptions(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, Exemption]:
    found = {
        row[key]: Exemption(
            row[key], row["reason"], row.get("licence", ""), frozenset(row.get("kinds", ()))
        )
        for row in rows
    }
    for name, exemption in found.items():
        if not exemption.reason.strip():
            raise AuditError(f"{PATH}: the exception for {name} has no reason")
    return found
