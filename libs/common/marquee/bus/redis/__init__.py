"""The event bus on Redis Streams, for machines without Kafka."""
