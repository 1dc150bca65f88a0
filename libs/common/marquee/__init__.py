"""Shared library of the Marquee services."""
