"""Rights on Kafka: which kind of process may do what, and how brokers are told."""
