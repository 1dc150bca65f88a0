"""Shared library of the services: an event runtime and a recommender."""

__version__ = "0.1.0"
