"""Software bills of materials in CycloneDX, one a distribution, from its lock."""

import runpy
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

import licence_table
from licence_table import UNKNOWN, Stated
from licences import TABLE
from locks import AuditError, Pin, locks

MODEL_LOCK = "requirements-model.txt"
LOCKS: Mapping[str, str] = {
    "libs/common": "libs/common/requirements.txt",
    "services/content": MODEL_LOCK,
    "services/hybrid": MODEL_LOCK,
    "services/user-model": MODEL_LOCK,
    "services/neural": MODEL_LOCK,
    "services/gateway": "services/gateway/requirements.txt",
    "services/trainer": "services/trainer/requirements.txt",
    "clients/python": "clients/python/requirements.txt",
    "deploy/local": "deploy/local/requirements.txt",
}
"""Folder of a distribution → the lock by which it is installed."""
_SCHEMA = SchemaVersion.V1_6


def write_all(root: Path, folder: Path) -> list[Path]:
    """Write the bill of each distribution into a folder; return the paths.

    A bill has the packages with versions and licences. Their hashes are in the lock, and which of
    them needs which is not told.

    Raises:
        AuditError: A bill is not valid by the schema.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pins, table = locks(root), licence_table.read(root / TABLE)
    version = str(runpy.run_path(str(root / "libs/common/marquee/__init__.py"))["__version__"])
    written = []
    for distribution, lock in LOCKS.items():
        project = tomllib.loads((root / distribution / "pyproject.toml").read_text())["project"]
        text = _bill(_component(project["name"], version, project["license"]), pins[lock], table)
        path = folder / f"{project['name']}.cdx.json"
        path.write_text(text)
        written.append(path)
    return written


def _bill(distribution: Component, pins: Sequence[Pin], table: Mapping[Pin, Stated]) -> str:
    bom = Bom()
    bom.metadata.component = distribution
    for pin in pins:
        licence = table[pin].licence if pin in table else UNKNOWN
        bom.components.add(_component(pin.name, pin.version, licence))
    bom.register_dependency(distribution, bom.components)
    text = str(make_outputter(bom, OutputFormat.JSON, _SCHEMA).output_as_string(indent=1))
    if error := JsonStrictValidator(_SCHEMA).validate_str(text):
        raise AuditError(f"the bill is not valid by CycloneDX {_SCHEMA.to_version()}: {error}")
    return text + "\n"


def _component(name: str, version: str, licence: str) -> Component:
    purl = PackageURL("pypi", None, name, version)
    licences = [] if licence == UNKNOWN else [LicenseFactory().make_from_string(licence)]
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=licences,
    )
