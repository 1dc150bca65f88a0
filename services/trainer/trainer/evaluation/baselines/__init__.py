"""Baselines that every route is compared with, and their tuning."""
