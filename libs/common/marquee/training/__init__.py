"""Fitting of the features and scorers; needs the `training` extra, no serving process loads it."""
