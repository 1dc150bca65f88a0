"""Evaluation of predicted ratings."""
