"""Check of licences: everything in a lock has an allowed one, or an exception with a reason."""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from license_expression import LicenseSymbol, LicenseWithExceptionSymbol, get_spdx_licensing

import licence_table
from licence_table import UNKNOWN, Stated
from locks import Pin, locks
from policy import Policy

TABLE = Path("tests/audit/licences.csv")
ENVIRONMENTS = (
    ".venv",
    ".venv-audit",
    ".venv-docs",
    ".venv-trainer",
    ".venv-pipeline",
    ".venv-airflow",
)
_SPDX = get_spdx_licensing()


def faults(root: Path, policy: Policy) -> list[str]:
    """Return a line for each pin without an allowed licence, and each row or exception too many."""
    table = licence_table.read(root / TABLE)
    by_lock = locks(root)
    pins = {pin for found in by_lock.values() for pin in found}
    shipped = {pin for name in policy.shipped for pin in by_lock.get(name, ())}
    found = [f"policy.toml: there is no lock {name}" for name in policy.shipped - set(by_lock)]
    found += [f"{TABLE}: {pin} is in no lock: run `make licences`" for pin in set(table) - pins]
    for name, of_lock in by_lock.items():
        for pin in of_lock:
            if fault := _fault(pin, table, policy, pin in shipped):
                found.append(f"{name}: {fault}")
    found += [
        f"policy.toml: no lock has {pattern}: remove its exception"
        for pattern in sorted({*policy.stated, *policy.exempt_licences})
        if not any(fnmatch(pin.name, pattern) for pin in pins)
    ]
    return found + _contradicted(root, table, policy)


def _fault(pin: Pin, table: Mapping[Pin, Stated], policy: Policy, shipped: bool) -> str | None:
    if pin not in table:
        return f"{pin} is not in {TABLE}: run `make licences`"
    licence = table[pin].licence
    if licence == UNKNOWN:
        return f"the metadata of {pin} say no licence: read it, and state it in policy.toml"
    exempt = next((e for e in policy.exempt_licences.values() if fnmatch(pin.name, e.of)), None)
    allowed = policy.licences | (frozenset() if shipped else policy.licences_of_tools)
    if is_allowed(licence, allowed):
        return f"{pin} needs no exception: {licence} is allowed" if exempt else None
    if exempt is None:
        return f"{pin} has the licence {licence}, which the policy does not allow"
    if exempt.licence != licence:
        return f"{pin} has the licence {licence}, its exception is for {exempt.licence}"
    return None


def is_allowed(licence: str, allowed: frozenset[str]) -> bool:
    """Return whether an SPDX expression can be met by allowed licences alone."""
    return _is_met(_SPDX.parse(licence), allowed)


def _is_met(part: object, allowed: frozenset[str]) -> bool:
    if isinstance(part, (LicenseSymbol, LicenseWithExceptionSymbol)):
        return str(part) in allowed
    met = [_is_met(argument, allowed) for argument in part.args]  # type: ignore[attr-defined]
    return any(met) if isinstance(part, _SPDX.OR) else all(met)


def _contradicted(root: Path, table: Mapping[Pin, Stated], policy: Policy) -> list[str]:
    """Name the rows that differ from what the packages in the environments here say."""
    here = licence_table.installed([root / name for name in ENVIRONMENTS])
    return [
        f"{TABLE}: {pin} is {table[pin].licence} there, and {found.licence} by its own metadata"
        for pin, found in sorted(here.items())
        if pin in table and _with_policy(pin, found, policy).licence != table[pin].licence
    ]


def update(root: Path, policy: Policy) -> int:
    """Bring the table up to the locks; return how many pins the package index was asked for."""
    table = licence_table.read(root / TABLE)
    by_lock = locks(root)
    asked = 0
    for pins in by_lock.values():
        if missing := [pin for pin in pins if pin not in table]:
            table |= licence_table.published(missing)
            asked += len(missing)
    pinned = {pin for found in by_lock.values() for pin in found}
    kept = {pin: _with_policy(pin, said, policy) for pin, said in table.items() if pin in pinned}
    licence_table.write(root / TABLE, kept)
    return asked


def _with_policy(pin: Pin, said: Stated, policy: Policy) -> Stated:
    """Return the licence that the policy states where the metadata say none."""
    by_policy = policy.stated.get(pin.name)
    if by_policy and (said.licence == UNKNOWN or said.source == "policy"):
        return Stated(by_policy.licence, "policy")
    return replace(said, licence=UNKNOWN) if said.source == "policy" else said
