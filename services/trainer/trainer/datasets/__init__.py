"""Data sets: readers of tables of any origin, exports, downloads, synthetic data."""
