"""Trainer: fits, evaluates and publishes the models of all services."""
