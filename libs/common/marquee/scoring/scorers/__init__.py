"""Scorers, each of which gives every movie a number: networks, factors, linear models, likeness."""
