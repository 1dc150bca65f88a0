"""Lists to look at: well-known movies, short sessions, and the figures of likeness."""
