"""The catalogue in memory: movies, title and tag indexes, popularity."""
