"""The event bus: protocols, partition assignment, and the factory that opens the configured bus."""
