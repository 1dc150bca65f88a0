"""Publication of models: bundles into the registry, then one event per model on the bus."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.bus.api import Bus, Outgoing
from marquee.bus.factory import open_bus
from marquee.bus.topics import create_topics
from marquee.errors import ArtifactError, BusUnavailable, MarqueeError, NotFound
from marquee.events import ModelPublished
from marquee.registry.bundle import Manifest, verify
from marquee.registry.registry import Registry
from marquee.settings import Settings
from trainer.models.versions import serving_version, version_of

Gate = Callable[[Manifest, Manifest], str | None]

_BUS_TIMEOUT_S = 60.0
"""Seconds that the bus may be unavailable before a publication fails."""


@dataclass(frozen=True)
class PublishResult:
    """The versions that were published, and why others were refused, by model."""

    versions: dict[str, str]
    refused: dict[str, str]


def _pass(_new: Manifest, _serving: Manifest) -> str | None:
    return None


@dataclass(frozen=True)
class ModelPublisher:
    """Publishes bundles that pass a gate.

    Attributes:
        connect: Opens the bus.
        serving: Returns the serving version of a model, None if there is none.
        gate: Takes the manifests of a new version and of the serving one; returns why the new one
            shall not serve, None if it shall.
    """

    connect: Callable[[Settings], Bus] = open_bus
    serving: Callable[[Settings, str], str | None] = serving_version
    gate: Gate = _pass

    def check(self, settings: Settings) -> None:
        """Create missing topics.

        Raises:
            BusUnavailable: The bus does not answer.
        """
        bus = self.connect(settings)
        try:
            create_topics(bus, settings.partitions)
        finally:
            bus.close()

    def publish(self, settings: Settings, bundles: Mapping[str, Path]) -> PublishResult:
        """Publish the bundles that pass the gate.

        A bundle that the registry does not take, such as one with a number that is not finite, is
        refused too. All versions are in the registry before the first event is sent.

        Args:
            settings: Settings of the system.
            bundles: Sealed bundles by model.

        Raises:
            BusUnavailable: The bus does not answer for a minute.
        """
        registry = Registry(settings.registry)
        refused: dict[str, str] = {}
        manifests: list[Manifest] = []
        for name, bundle in bundles.items():
            try:
                reason = self._judge(settings, registry, verify(bundle))
                if reason is None:
                    manifests.append(registry.add(bundle))
            except ArtifactError as error:
                reason = str(error)
            if reason is not None:
                refused[name] = reason
        with registry.locked():
            for manifest in manifests:
                registry.mark_announced(manifest.name, manifest.version)
        if manifests:
            self._announce(settings, registry, manifests)
        return PublishResult({manifest.name: manifest.version for manifest in manifests}, refused)

    def _judge(self, settings: Settings, registry: Registry, new: Manifest) -> str | None:
        version = self.serving(settings, new.name)
        if version is None:
            return None
        try:
            return self.gate(new, registry.manifest(new.name, version))
        except NotFound:  # the serving version came from another registry
            return None

    def _announce(self, settings: Settings, registry: Registry, manifests: list[Manifest]) -> None:
        events = [
            Outgoing.of(ModelPublished(source="trainer", data=version_of(registry, manifest)))
            for manifest in manifests
        ]
        bus = self.connect(settings)
        try:
            _send(bus, settings.partitions, events)
        finally:
            bus.close()


def _send(bus: Bus, partitions: int, events: list[Outgoing]) -> None:
    deadline = time.monotonic() + _BUS_TIMEOUT_S
    while True:
        producer = bus.producer()
        try:
            create_topics(bus, partitions)
            producer.publish(events)
            return
        except BusUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        finally:
            _close(producer.close)


def _close(close: Callable[[], None]) -> None:
    try:
        close()
    except MarqueeError:
        return
