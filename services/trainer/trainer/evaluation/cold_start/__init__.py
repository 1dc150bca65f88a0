"""Evaluation on movies without ratings (item cold start)."""
