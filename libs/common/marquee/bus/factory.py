"""Factory of the configured bus."""

from marquee.bus.api import Bus
from marquee.bus.redis.bus import RedisBus
from marquee.settings import Settings


def open_bus(settings: Settings) -> Bus:
    """Return the configured bus; it connects when first used."""
    if settings.bus == "kafka":
        # Imported here: the client costs memory and time, which processes on Redis need not pay.
        from marquee.bus.kafka.bus import KafkaBus
        from marquee.bus.kafka.connection.security import KafkaSecurity

        return KafkaBus(
            settings.kafka_servers,
            settings.namespace,
            security=KafkaSecurity.of(settings),
            replication=settings.kafka_replication,
            retention_days=settings.kafka_retention_days,
            member=settings.kafka_member,
        )
    return RedisBus(settings.redis_address, settings.namespace)
