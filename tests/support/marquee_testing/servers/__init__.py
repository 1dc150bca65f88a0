"""Helpers around real servers: restartable servers, fault proxy, readers, producers."""
