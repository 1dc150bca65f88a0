"""The event contract as documents: AsyncAPI, JSON Schema, examples."""
