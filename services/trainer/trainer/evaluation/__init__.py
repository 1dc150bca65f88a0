"""Offline evaluation: splits, slices, recommenders, metrics, comparisons."""
