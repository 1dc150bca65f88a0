"""Histories, fits and evaluations that take a moment, for tests of the trainer."""
