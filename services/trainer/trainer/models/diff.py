"""Differences between two versions of a model: parameters, metrics, data, code, files."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput, NotFound
from marquee.registry.bundle import Manifest
from marquee.registry.registry import Registry


@dataclass(frozen=True)
class Change:
    """One difference; a value is None if the version does not have it."""

    kind: str
    key: str
    before: Any
    after: Any

    @property
    def delta(self) -> float | None:
        """The change of a number, None if one of the values is not a number."""
        numbers = (self.before, self.after)
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            return None
        return float(self.after) - float(self.before)

    def as_json(self) -> dict[str, Any]:
        """Return the difference as a JSON object."""
        return asdict(self) | {"delta": self.delta}


def find_version(registry: Registry, given: str) -> Manifest:
    """Return the manifest of `<version>` or `<model>/<version>`.

    Raises:
        NotFound: There is no such version.
        InvalidInput: Several models have a version of this name.
    """
    name, _, version = given.rpartition("/")
    if name and name not in MODEL_NAMES:
        raise NotFound(f"no model {name}; there are {', '.join(MODEL_NAMES)}")
    manifests = [
        registry.manifest(model, version)
        for model in ([name] if name else MODEL_NAMES)
        if version in registry.versions(model)
    ]
    if not manifests:
        raise NotFound(f"no version {given}; `marquee models list` names those that there are")
    if len(manifests) > 1:
        names = ", ".join(manifest.name for manifest in manifests)
        raise InvalidInput(f"{given} is a version of {names}", "version")
    return manifests[0]


def changes(before: Manifest, after: Manifest) -> list[Change]:
    """Return the differences between two versions, by kind, then key.

    Raises:
        InvalidInput: The versions are of two models.
    """
    if before.name != after.name:
        raise InvalidInput(f"{before.name} and {after.name} are two models", "version")
    return [
        *_changes("about", _about(before), _about(after)),
        *_changes("parameter", flat(before.parameters), flat(after.parameters)),
        *_changes("metric", before.metrics, after.metrics),
        *_changes("file", before.files, after.files),
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their dotted keys."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[prefix + key] = value
    return result


def _about(manifest: Manifest) -> dict[str, Any]:
    return {key: getattr(manifest, key) for key in ("data_version", "code_version", "digest")}


def _changes(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield Change(kind, key, before.get(key), after.get(key))
