"""The event bus on Apache Kafka; the one package that imports kafka-python."""
