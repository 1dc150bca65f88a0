"""Table of the licences of everything that the locks pin: read, checked and filled up."""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing
from packaging.utils import canonicalize_name

from locks import AuditError, Pin

FIELDS = ("package", "version", "licence", "source")
UNKNOWN = "unknown"
_SPDX = get_spdx_licensing()
_OWN_TEXT = "LicenseRef-"
"""Begins the id of a licence that SPDX does not list."""
_LONGEST = 60
"""Characters above which the field License holds the text of a licence, not its name."""

BY_CLASSIFIER: Mapping[str, str] = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.1-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
"""Name of a classifier → SPDX id; of the BSD licences, which are told as one, the stricter."""


@dataclass(frozen=True)
class Stated:
    """What a package says of its licence.

    Attributes:
        licence: an SPDX expression, or `unknown`.
        source: the field of its metadata that says so, or `policy`.
    """

    licence: str
    source: str


def spdx(text: str) -> str | None:
    """Return a text as a normal SPDX expression, None if it is none."""
    try:
        parsed = _SPDX.parse(text)
    except ExpressionError:
        return None
    if parsed is None:
        return None
    unknown = [key for key in _SPDX.unknown_license_keys(parsed) if not key.startswith(_OWN_TEXT)]
    return None if unknown else str(parsed)


def stated(expression: str | None, licence: str | None, classifiers: Iterable[str]) -> Stated:
    """Return what metadata say: by expression, else by name, else by classifiers."""
    if expression and (known := spdx(expression)):
        return Stated(known, "expression")
    if licence and len(licence) <= _LONGEST and (known := spdx(licence.strip())):
        return Stated(known, "licence")
    names = {c.split(" :: ")[-1] for c in classifiers if c.startswith("License ::")}
    ids = {BY_CLASSIFIER.get(name) for name in names - {"OSI Approved"}}
    if ids and None not in ids:
        # Several classifiers do not say whether they add up or are a choice: AND is the stricter.
        return Stated(" AND ".join(sorted(id_ for id_ in ids if id_)), "classifier")
    return Stated(UNKNOWN, "nothing")


def read(path: Path) -> dict[Pin, Stated]:
    """Return the table.

    Raises:
        AuditError: The file has other columns, or a package twice.
    """
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if tuple(rows.fieldnames or ()) != FIELDS:
            raise AuditError(f"{path.name} has the columns {rows.fieldnames}, not {FIELDS}")
        table: dict[Pin, Stated] = {}
        for row in rows:
            pin = Pin(row["package"], row["version"])
            if pin in table:
                raise AuditError(f"{path.name} has {pin} twice: run `make licences`")
            table[pin] = Stated(row["licence"], row["source"])
    return table


def write(path: Path, table: Mapping[Pin, Stated]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        for pin, found in sorted(table.items()):
            writer.writerow((pin.name, pin.version, found.licence, found.source))


def installed(environments: Iterable[Path]) -> dict[Pin, Stated]:
    """Return what the packages installed in environments say of their licences."""
    folders = [str(f) for e in environments for f in e.glob("lib/python*/site-packages")]
    return {_pin_of(found): _stated_of(found) for found in distributions(path=folders)}


def _pin_of(found: Distribution) -> Pin:
    return Pin(canonicalize_name(found.metadata["Name"]), found.version)


def _stated_of(found: Distribution) -> Stated:
    metadata: Message[str, str] = found.metadata  # type: ignore[assignment]
    classifiers = metadata.get_all("Classifier") or []
    return stated(metadata.get("License-Expression"), metadata.get("License"), classifiers)


def published(pins: Iterable[Pin]) -> dict[Pin, Stated]:
    """Ask the package index for the licences of pins, by pip and its own settings.

    Raises:
        AuditError: pip failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "pins.txt"), Path(folder, "report.json")
        wanted.write_text("".join(f"{pin}\n" for pin in pins))
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "-q",
        ]
        command += ["--report", str(report), "-r", str(wanted)]
        if subprocess.run(command).returncode:
            raise AuditError("pip could not read the metadata of the pins; its message is above")
        packages = json.loads(report.read_text())["install"]
    return dict(_published(package["metadata"]) for package in packages)


def _published(metadata: Mapping[str, Any]) -> tuple[Pin, Stated]:
    pin = Pin(canonicalize_name(metadata["name"]), metadata["version"])
    texts = metadata.get("license_expression"), metadata.get("license")
    return pin, stated(*texts, metadata.get("classifier", []))
