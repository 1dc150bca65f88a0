"""Managed segments: preferences of operators, maps, tracking, API."""
