"""Data sets: readers of MovieLens releases, downloads, synthetic data."""
