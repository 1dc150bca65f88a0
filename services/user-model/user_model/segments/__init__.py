"""Segments of movies and users: model, API, naming, fit."""
