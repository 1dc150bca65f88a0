"""In-memory implementations of the bus, the store and the Redis client."""
