"""Model versions for operators: list them, find the serving one, roll back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marquee.bus.api import Outgoing
from marquee.bus.factory import open_bus
from marquee.domain.models import MODEL_NAMES
from marquee.errors import ArtifactError, Conflict, NotFound, StoreUnavailable
from marquee.events import ModelRolledBack, ModelVersion
from marquee.registry.bundle import Manifest
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore


@dataclass(frozen=True)
class ModelVersions:
    """The versions of a model, oldest first, and the serving one (None: unknown or none)."""

    name: str
    serving: str | None
    versions: tuple[Manifest, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the versions as a JSON object, newest first."""
        return {
            "name": self.name,
            "serving": self.serving,
            "versions": [_version_json(manifest) for manifest in reversed(self.versions)],
        }


def list_models(settings: Settings) -> list[ModelVersions]:
    """Return every model with its versions."""
    serving = serving_versions(settings, MODEL_NAMES)
    return [_model(settings, name, serving.get(name)) for name in MODEL_NAMES]


def read_model(settings: Settings, name: str) -> ModelVersions:
    """Return a model with its versions.

    Raises:
        NotFound: There is no model of this name.
    """
    if name not in MODEL_NAMES:
        raise NotFound(f"no model {name}; there are {', '.join(MODEL_NAMES)}")
    return _model(settings, name, serving_version(settings, name))


def serving_version(settings: Settings, name: str) -> str | None:
    """Return the published version of a model; None if there is none or the store is away."""
    return serving_versions(settings, (name,)).get(name)


def serving_versions(settings: Settings, names: Sequence[str]) -> dict[str, str]:
    """Return the published version of each model that has one; nothing if the store is away."""
    keys = {name: Keys(settings.namespace, name, settings.partitions).model for name in names}
    store = RedisStore(settings.redis_address, timeout=1.0)
    try:
        values = {name: store.get(key) for name, key in keys.items()}
    except StoreUnavailable:
        return {}
    finally:
        store.close()
    return {
        name: ModelVersion.model_validate_json(value).version
        for name, value in values.items()
        if value is not None
    }


def _model(settings: Settings, name: str, serving: str | None) -> ModelVersions:
    registry = Registry(settings.registry)
    manifests: list[Manifest] = []
    for version in registry.versions(name):
        try:
            manifests.append(registry.manifest(name, version))
        except (NotFound, ArtifactError):
            if registry.path(name, version).exists():
                raise
            # Otherwise it has just expired.
    return ModelVersions(name, serving, tuple(manifests))


def rollback_target(settings: Settings, name: str, version: str | None) -> str:
    """Return the version to which a model would go back; see `roll_back`."""
    model = read_model(settings, name)
    target = version or _before(model)
    if target == model.serving:
        raise Conflict(f"version {target} of {name} serves already")
    return target


def roll_back(settings: Settings, name: str, version: str | None = None) -> ModelVersion:
    """Make an earlier version serve again, by default the one before the serving one.

    Args:
        settings: Settings of the system.
        name: Name of the model.
        version: The version; None: the one before the serving one.

    Returns:
        The version that serves again.

    Raises:
        NotFound: There is no such version.
        Conflict: It serves already, or there is no earlier version.
    """
    target, registry = rollback_target(settings, name, version), Registry(settings.registry)
    with registry.locked():
        data = version_of(registry, registry.manifest(name, target))
        registry.mark_announced(name, target)
    bus = open_bus(settings)
    try:
        producer = bus.producer()
        producer.publish([Outgoing.of(ModelRolledBack(source="trainer", data=data))])
        producer.close()
    finally:
        bus.close()
    return data


def version_of(registry: Registry, manifest: Manifest) -> ModelVersion:
    """Return a version as events describe it."""
    return ModelVersion(
        name=manifest.name,
        version=manifest.version,
        address=registry.address(manifest.name, manifest.version),
        sha256=manifest.digest,
        cut=manifest.cut,
    )


def version_before(versions: Sequence[str], serving: str) -> str | None:
    """Return the latest version that is older than the serving one, or None."""
    return max((version for version in versions if version < serving), default=None)


def _before(model: ModelVersions) -> str:
    names = [manifest.version for manifest in model.versions]
    serving = model.serving or (names[-1] if names else "")
    earlier = version_before(names, serving)
    if earlier is None:
        raise Conflict(f"model {model.name} has no version before {serving or 'the first'}")
    return earlier


def _version_json(manifest: Manifest) -> dict[str, Any]:
    return {
        "version": manifest.version,
        "created": manifest.created,
        "data_version": manifest.data_version,
        "code_version": manifest.code_version,
        "metrics": manifest.metrics,
    }
