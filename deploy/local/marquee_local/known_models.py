"""Versions of models that the registry has and Redis does not know."""

import threading

from marquee.bus.factory import open_bus
from marquee.consumer.process import prepare_topics
from marquee.domain.models import MODEL_NAMES
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore


def unknown_versions(settings: Settings, stop: threading.Event) -> dict[str, str]:
    """Return the newest version of each model of which Redis knows none; topics are created.

    The folder of Redis may have been lost while the registry was kept.
    """
    store = RedisStore(settings.redis_address)
    registry = Registry(settings.registry)
    bus = open_bus(settings)
    prepare_topics(bus, settings.partitions, stop)
    bus.close()
    found = {}
    for name in MODEL_NAMES:
        keys = Keys(settings.namespace, name, settings.partitions)
        versions = registry.versions(name)
        if versions and store.get(keys.model) is None:
            found[name] = versions[-1]
    store.close()
    return found
