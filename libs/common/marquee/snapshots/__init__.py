"""Snapshots of partitions: file format, source, and iteration in chunks."""
