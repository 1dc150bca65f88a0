"""Fitting of the scorers: networks, factors, linear models, likeness."""
