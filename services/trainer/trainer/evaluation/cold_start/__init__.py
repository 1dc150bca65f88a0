"""Evaluation on movies without ratings."""
