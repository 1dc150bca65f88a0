"""Hybrid service: collaborative factors blended with movie features."""
