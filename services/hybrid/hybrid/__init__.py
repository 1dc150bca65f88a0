"""Hybrid service: collaborative factors blended with film features."""
