"""The fact store: Redis keys, the store protocol, packed rows, and the implementation on Redis."""
